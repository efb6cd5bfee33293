"""Examinations of what is sealed: whether it can be opened, and which keys end soon."""

from collections import Counter
from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from accounts import sealing
from coordinator_project.doctor.finding import Finding, some_of
from tasks.models import TaskSecrets
from vault import seals
from vault.exceptions import VaultProblem
from vault.models import KeyStatus, KeyVersion

MOST_OF_TASKS = 10_000
SOON = timedelta(days=7)


def sealed() -> Finding:
    """Every version of a key is opened, and the secrets of the latest tasks."""
    wrong: list[str] = []
    by: Counter[str] = Counter()
    for version in KeyVersion.objects.select_related("key").order_by("pk").iterator():
        by[version.sealed_by] += 1
        try:
            seals.opened(version)
        except VaultProblem as problem:
            wrong.append(f"version {version.version} of {version.key} ({problem.reason})")
    latest = TaskSecrets.objects.order_by("-pk").values_list("pk", "sealed")[:MOST_OF_TASKS]
    for task_id, secret in latest:
        try:
            sealing.opened(bytes(secret))
        except sealing.Unopenable:
            wrong.append(f"the secrets of task {task_id}")
    if wrong:
        return Finding(
            "sealed secrets",
            f"{len(wrong)} sealed secrets cannot be opened: {some_of(wrong)}.",
            "Put the encryption key that is missing back into COORDINATOR_ENCRYPTION_KEYS; give a"
            " key whose row was changed (checksum_mismatch) a new value.",
        )
    older = by.total() - by[sealing.label()]
    if older:
        return Finding(
            "sealed secrets",
            f"All can be opened; {older} versions of keys are sealed by an older encryption key.",
            "Run manage.py vault_rotate; then the older key may go.",
            note=True,
        )
    return Finding("sealed secrets", "All sealed secrets can be opened.")


def ending_keys() -> Finding:
    """The newest versions of keys that expire soon, or should have been rotated."""
    soon = timezone.now() + SOON
    newest = KeyVersion.objects.filter(status=KeyStatus.ACTIVE, version=F("key__latest"))
    ending = newest.filter(Q(expires_at__lt=soon) | Q(rotate_after__lt=timezone.now()))
    names = [str(version.key) for version in ending.select_related("key").order_by("key__name")]
    if names:
        return Finding(
            "keys",
            f"Keys expire within a week, or should have been rotated: {some_of(names)}.",
            "Rotate them: in the admin, or by POST /functions/v1/key-vault/rotate.",
            note=True,
        )
    return Finding("keys", "No key of the vault ends soon.")
