"""Users and tokens: made, used up, revoked. Each verb is one transaction."""

import re
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts import credentials, recognition, roles
from accounts.callers import Caller, CallerKind, rights_of
from accounts.exceptions import (
    BadPassword,
    BadUsername,
    MayNotIssue,
    NameTaken,
    NotYourToken,
    TokenUnknown,
    WrongCode,
)
from accounts.models import LONGEST_NAME, ApiToken, SignInCode, User
from accounts.rights import ADMINISTER, ENTER
from accounts.roles import Role
from accounts.scopes import Scope
from accounts.signals import token_issued, token_revoked
from api.names import spelled

USERNAME = re.compile("[A-Za-z0-9_-]{3,30}")
SHORTEST_PASSWORD = 6
LOGIN_LASTS = timedelta(hours=24)
AGENT_LASTS = timedelta(days=90)
CODE_LASTS = timedelta(minutes=5)
CODE_BYTES = 16
REGISTERING = "SELECT pg_advisory_xact_lock(hashtextextended('accounts:register', 0))"


class Issued(NamedTuple):
    """A new token, and its secret, which is nowhere else."""

    token: ApiToken
    secret: str


def may_issue(caller: Caller, user: User | None) -> bool:
    """Whether the caller may make a token of this user, or of an agent where there is none.

    Who may administer makes any. A person who has signed in makes their own: a token cannot, so
    that one that has leaked does not become many.
    """
    if caller.may(ADMINISTER):
        return True
    own = user is not None and caller.user_id == user.pk
    return own and caller.kind == CallerKind.USER and bool(caller.rights & ENTER)


def is_within(by: Caller, user: User | None, role: str) -> bool:
    """Whether a token of this user or, without one, of an agent gives no more than the caller has.

    That of somebody else gives all of its role once its user may that much.
    """
    if user is None:
        return by.rights >= roles.OF_AGENTS
    given = roles.RIGHTS[Role(role)]
    own = by.user_id == user.pk
    return (given & rights_of(user) if own else given) <= by.rights


def issue(
    name: str,
    *,
    user: User | None = None,
    role: str = "",
    agent: str = "",
    agent_is_prefix: bool = False,
    channels: Sequence[str] = (),
    scopes: Collection[str] = (),
    expires_at: datetime | None = None,
    by: Caller,
    reason: str,
) -> Issued:
    """Make a token of a user, or of an agent. Without a role it gives all that its user may.

    With scopes it is good for functions of these alone. Raises MayNotIssue, also where it would
    give more than the caller has.
    """
    if not may_issue(by, user):
        raise MayNotIssue(
            "Tokens of agents and of other users are made by administrators; your own you make"
            " at /admin/accounts/apitoken/add/, signed in."
        )
    wanted = role or (roles.role_within(rights_of(user)) if user else Role.AGENT)
    if not is_within(by, user, wanted):
        raise MayNotIssue("This token would let its holder do more than you may yourself.")
    secret = credentials.new_token()
    token = ApiToken(
        name=name,
        user=user,
        role=wanted,
        agent=spelled(agent),
        agent_is_prefix=agent_is_prefix,
        channels=list(map(spelled, channels)),
        scopes=[scope for scope in Scope.values if scope in scopes],
        expires_at=expires_at,
        made_by_id=by.user_id,
    )
    with transaction.atomic():
        _store(token, secret)
        token_issued.send(ApiToken, token=token, caller=by, reason=reason)
    return Issued(token, secret)


def revoke(token_id: UUID, *, by: Caller, reason: str) -> ApiToken:
    """Revoke a token; its row stays. Revoking it again changes nothing.

    Raises TokenUnknown, or NotYourToken where the caller is neither its user nor an administrator.
    """
    with transaction.atomic():
        token = ApiToken.objects.select_for_update(no_key=True).filter(pk=token_id).first()
        if token is None:
            raise TokenUnknown
        if not by.may(ADMINISTER) and (by.user_id is None or token.user_id != by.user_id):
            raise NotYourToken
        if token.revoked_at is not None:
            return token
        ApiToken.objects.filter(pk=token.pk).update(revoked_at=Now(), updated_at=Now())
        token.refresh_from_db(fields=["revoked_at", "updated_at"])
        token_revoked.send(ApiToken, token=token, caller=by, reason=reason)
        _remember_nothing()
    return token


def sign_in(user: User) -> Issued:
    """A token for a day, of a user whose password was right; their tokens that have ended go."""
    secret = credentials.new_token()
    expires_at = timezone.now() + LOGIN_LASTS
    role = roles.role_within(rights_of(user))
    token = ApiToken(name="login", user=user, role=role, expires_at=expires_at, is_login=True)
    with transaction.atomic():
        ApiToken.objects.of(user.pk).filter(is_login=True, expires_at__lt=Now()).delete()
        User.objects.filter(pk=user.pk).update(last_login=Now())
        _store(token, secret)
    return Issued(token, secret)


@transaction.atomic
def end_sign_ins(user: User) -> None:
    """Revoke the tokens of this user's sign-ins, and the codes for agents; other tokens stay."""
    SignInCode.objects.filter(user=user).delete()
    tokens = ApiToken.objects.live().of(user.pk).filter(is_login=True)
    if tokens.update(revoked_at=Now(), updated_at=Now()):
        _remember_nothing()


def register(username: str, password: str, *, group: str) -> User:
    """Make a user, in this group. Raises BadUsername, BadPassword or NameTaken."""
    if not USERNAME.fullmatch(username):
        raise BadUsername
    if (
        len(password.encode()) < SHORTEST_PASSWORD
        or not any(char.isupper() for char in password)
        or all(char.isalnum() for char in password)
    ):
        raise BadPassword
    user = User(username=username)
    user.set_password(password)  # takes long, so before the lock
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two of one name at once: names are compared without regard to case, and no
            # constraint says so, since administrators may have made such names.
            cursor.execute(REGISTERING)
        if User.objects.filter(username__iexact=username).exists():
            raise NameTaken
        user.save(force_insert=True)
        user.groups.set(Group.objects.filter(name__iexact=group))
    return user


def named(username: str) -> str:
    """The name of a user as it is stored; another spelling counts if no other user has it."""
    found = User.objects.filter(username__iexact=username).values_list("username", flat=True)[:2]
    names = list(found)
    return names[0] if len(names) == 1 else username


def make_code(user: User, agent_name: str = "") -> str:
    """A code by which an agent gets a token of this user within five minutes, once."""
    code = secrets.token_hex(CODE_BYTES)
    SignInCode.objects.ended().delete()
    SignInCode.objects.create(
        digest=credentials.digest(code.encode()),
        user=user,
        agent_name=agent_name,
        expires_at=timezone.now() + CODE_LASTS,
    )
    return code


def make_code_for(token_id: UUID, user: User) -> str:
    """The same, for who has just a token of this user: only that of a sign-in is enough."""
    if not ApiToken.objects.live().filter(pk=token_id, is_login=True).exists():
        raise MayNotIssue("Sign in first: only the token of a sign-in gets a code for an agent.")
    return make_code(user)


def redeem(code: str) -> Issued:
    """Use a code up for a token of its user. Of several at once, one gets it: others WrongCode.

    The token is for the work of an agent, so it does not administer, whoever the user is.
    """
    digest = credentials.digest(code.encode())
    with transaction.atomic():
        usable = SignInCode.objects.usable().filter(digest=digest)
        found = usable.select_related("user").select_for_update(of=["self"]).first()
        if found is None:
            raise WrongCode
        SignInCode.objects.filter(pk=found.pk).update(used_at=Now())
        user = found.user
        within = roles.role_within(rights_of(user))
        token = ApiToken(
            name=f"agent {found.agent_name}".strip()[:LONGEST_NAME],
            user=user,
            role=Role.OPERATOR if within == Role.ADMIN else within,
            expires_at=timezone.now() + AGENT_LASTS,
            made_by=user,
        )
        secret = credentials.new_token()
        _store(token, secret)
        by = Caller(CallerKind.USER, f"user:{user.get_username()}", user.pk)
        token_issued.send(ApiToken, token=token, caller=by, reason="an agent was signed in")
    return Issued(token, secret)


def _store(token: ApiToken, secret: str) -> None:
    token.digest = credentials.digest(secret.encode())
    token.ending = secret[-4:]
    token.save(force_insert=True)
    token.refresh_from_db(fields=["created_at", "updated_at"])
    _remember_nothing()


def _remember_nothing() -> None:
    """This process knows of the change at once, and again when it is committed."""
    recognition.forget()
    transaction.on_commit(recognition.forget)
