"""The default user: an administrator whose id a setting names, made once with a first token."""

import os
import secrets
from pathlib import Path
from uuid import UUID

from django.contrib.auth.models import Permission
from django.db import connection, transaction

from accounts import transitions
from accounts.callers import Caller, CallerKind
from accounts.models import User
from accounts.rights import EVERYTHING
from accounts.roles import Role

NAME = "default"
FILE = "default_user.token"
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('accounts:default', 0))"
AT_START = Caller(CallerKind.LOCAL, "start", rights=EVERYTHING)


def make_default_user(user_id: UUID, folder: Path) -> Path | None:
    """Make the user of this id, and put their first token into a file of the folder.

    Returns the file; None if there is such a user: of several coordinators that start at once, one
    makes them. The user has no password, and may administer.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(ONE_AT_A_TIME)
        if User.objects.filter(pk=user_id).exists():
            return None
        taken = User.objects.filter(username__iexact=NAME).exists()
        user = User(pk=user_id, username=f"{NAME}-{user_id}" if taken else NAME)
        user.set_unusable_password()
        user.save(force_insert=True)
        codenames = [right.partition(".")[2] for right in EVERYTHING]
        ours = Permission.objects.filter(content_type__app_label="accounts")
        user.user_permissions.set(ours.filter(codename__in=codenames))
        reason = "DEFAULT_USER_ID names this user"
        issued = transitions.issue("first", user=user, role=Role.ADMIN, by=AT_START, reason=reason)
        # Before the commit: a user whose token is nowhere could not be made again.
        return write_secret(folder / FILE, issued.secret)


def write_secret(path: Path, secret: str) -> Path:
    """Write a file that only its owner reads, whole or not at all."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{secret}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
