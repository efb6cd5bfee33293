"""Make a token, and print it once."""

import os
import pwd
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import credentials, transitions
from accounts.callers import Caller, CallerKind
from accounts.models import LONGEST_NAME, User
from accounts.rights import EVERYTHING
from accounts.roles import OF_PEOPLE
from accounts.scopes import Scope
from api.names import spelled

MOST_DAYS = 36_500
FIRST = (
    "It is the first: from now on every request needs a token, from this machine too."
    " Send one as 'Authorization: Bearer <token>' or 'X-Api-Key: <token>'."
)


class Command(BaseCommand):
    help = "Make a token of a user or of an agent. It is printed once and stored nowhere."

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--user", metavar="NAME", help="the user whose token it is")
        whose.add_argument("--agent", metavar="ID", type=spelled, help="the agent that it names")
        whose.add_argument(
            "--agent-prefix", metavar="TEXT", type=spelled, help="how the ids of its agents begin"
        )
        parser.add_argument("--name", required=True, help="what it is for")
        parser.add_argument("--role", choices=sorted(OF_PEOPLE), default="", help="a user's token")
        parser.add_argument(
            "--channel",
            metavar="NAME",
            type=spelled,
            action="append",
            default=[],
            help="an agent may claim from these alone; repeat it for several",
        )
        parser.add_argument(
            "--scope",
            choices=Scope.values,
            action="append",
            default=[],
            help="a user's token is good for functions of this scope alone; repeat it for several",
        )
        parser.add_argument("--days", type=int, help="after how many days it expires")
        parser.add_argument("--reason", default="made by a command", help="why, for the audit")

    def handle(
        self,
        *,
        user: str | None,
        agent: str | None,
        agent_prefix: str | None,
        name: str,
        role: str,
        channel: list[str],
        scope: list[str],
        days: int | None,
        reason: str,
        **options: Any,
    ) -> None:
        if (user is not None and channel) or (user is None and (role or scope)):
            raise CommandError("--channel is for agents, --role and --scope are for users.")
        named = agent or agent_prefix or ""
        if (user is None and not named) or not name.strip() or not reason.strip():
            raise CommandError("No name may be empty.")
        if max(map(len, (name, named, *channel))) > LONGEST_NAME:
            raise CommandError(f"No name may be longer than {LONGEST_NAME} characters.")
        if days is not None and not 0 < days <= MOST_DAYS:
            raise CommandError(f"--days must be from 1 to {MOST_DAYS}.")
        is_first = not credentials.issued()
        issued = transitions.issue(
            name.strip(),
            user=_user(user) if user is not None else None,
            role=role,
            agent=named,
            agent_is_prefix=bool(agent_prefix),
            channels=channel,
            scopes=scope,
            expires_at=timezone.now() + timedelta(days=days) if days else None,
            by=Caller(CallerKind.LOCAL, _actor(), rights=EVERYTHING),
            reason=reason.strip(),
        )
        self.stdout.write(issued.secret)
        if is_first:
            self.stderr.write(FIRST)


def _user(username: str) -> User:
    user = User.objects.filter(username=transitions.named(username)).first()
    if user is None:
        raise CommandError(f"There is no user {username!r}.")
    return user


def _actor() -> str:
    """The name in the audit of the system user who runs the command."""
    try:
        return f"command:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"command:{os.getuid()}"
