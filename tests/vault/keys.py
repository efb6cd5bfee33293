"""Keys for tests, and what the audit says of them."""

from datetime import timedelta

from cryptography.fernet import Fernet
from django.utils import timezone

from vault import transitions
from vault.models import KeyAudit, KeyVersion, SecureKey
from vault.transitions import Draft, Times

SECRET = "sk-test-b7f3c1d94e"


def new_key():
    """An encryption key."""
    return Fernet.generate_key().decode()


def after(**spans):
    return timezone.now() + timedelta(**spans)


def store(value=SECRET, *, provider="openai", times=None, by="tests", **more):
    """The next version of a key."""
    draft = Draft(value=value, provider=provider, times=times or Times(), **more)
    return transitions.upsert(draft, by=by)


def make_key(value=SECRET, **more):
    return SecureKey.objects.get(pk=store(value, **more).key_id)


def version_of(key, number=1):
    return KeyVersion.objects.select_related("key").get(key=key, version=number)


def change(key, number=1, **columns):
    """Change the row of a version as somebody in the database would."""
    KeyVersion.objects.filter(key=key, version=number).update(**columns)


def audited(key=None):
    """Event, operation, success and reason of each row, in order."""
    rows = KeyAudit.objects.order_by("id")
    rows = rows.filter(key_id=key.pk) if key else rows
    return list(rows.values_list("event", "operation", "success", "reason"))


def failures():
    """Operation and reason of each failure, in order."""
    rows = KeyAudit.objects.filter(success=False).order_by("id")
    return list(rows.values_list("operation", "reason"))
