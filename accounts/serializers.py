"""Requests about tokens and signing in (contracts 001, 1.8, and 000-002, 1.3)."""

from datetime import UTC
from typing import ClassVar

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.models import LONGEST_NAME
from accounts.roles import OF_PEOPLE
from accounts.scopes import Scope
from accounts.transitions import USERNAME
from api import fields
from api.serializers import RequestSerializer, Values, absent
from problems import Invalid

LONGEST_REASON = 1_000
LONGEST_PASSWORD = 1_000
MOST_CHANNELS = 100


class Moment(fields.Strict):
    """A time to come, as RFC 3339 has it."""

    expected = "a time like 2027-01-31T12:00:00Z"

    def schema(self, refer: fields.Refer) -> fields.Schema:
        return {"type": "string", "format": "date-time"}

    def check(self, data: object) -> object:
        if not isinstance(data, str):
            raise self.wrong_type()
        if not data.strip():
            return self.absent()
        try:
            moment = parse_datetime(data.strip())
            utc = moment.astimezone(UTC) if moment and timezone.is_aware(moment) else None
        except (ValueError, OverflowError):
            utc = None
        if utc is None:
            raise self.refused(f"must be {self.expected}")
        if utc <= timezone.now():
            raise self.refused("must be in the future")
        return utc


class AgentName(fields.Name):
    """Whose token it is: a blank one, of a program that lacks a name, must not give all rights."""

    def check(self, data: object) -> object:
        name = super().check(data)
        if not name:
            raise self.refused("must not be blank")
        return name

    def schema(self, refer: fields.Refer) -> fields.Schema:
        return super().schema(refer) | {"pattern": fields.NOT_BLANK}


class ScopeList(fields.TextList):
    """Scopes of functions."""

    def texts(self, data: object) -> list[str]:
        scopes = super().texts(data)
        if not set(scopes) <= set(Scope.values):
            raise self.refused(f"must be among {', '.join(Scope.values)}")
        return scopes

    def schema(self, refer: fields.Refer) -> fields.Schema:
        items = {"type": "string", "enum": [*Scope.values, ""]}
        return super().schema(refer) | {"items": items}


class TokenRequestSerializer(RequestSerializer):
    """A new token: of the caller, of another user, or of an agent.

    `scopes`: it is good for functions of these alone.
    """

    missing: ClassVar[str] = "{} is required"
    name = fields.Text(max_length=LONGEST_NAME)
    expires_at = Moment(default=None)
    user_id = fields.Identifier(default=None)
    role = fields.Text(default="", choices=OF_PEOPLE)
    agent_id = AgentName(default="")
    agent_prefix = AgentName(default="")
    channels = fields.TextList(default=list, max_items=MOST_CHANNELS)
    scopes = ScopeList(default=list, max_items=len(Scope))
    reason = fields.Text(default="", max_length=LONGEST_REASON)

    def rules(self) -> fields.Schema:
        of_user = absent("agent_id", "agent_prefix", "channels")
        of_agent = (
            absent("role", "user_id", "scopes", other) for other in ("agent_id", "agent_prefix")
        )
        return {"anyOf": [of_user, *of_agent]}

    def validate(self, attrs: Values) -> Values:
        agent, prefix = attrs["agent_id"], attrs["agent_prefix"]
        if agent and prefix:
            raise refused("agent_prefix", "cannot be given together with agent_id")
        of_agent = bool(agent or prefix)
        for name in ("role", "user_id", "scopes") if of_agent else ("channels",):
            if attrs[name]:
                raise refused(name, f"is {'not ' if of_agent else 'only '}for tokens of agents")
        return attrs


class SignInRequestSerializer(RequestSerializer):
    username = fields.Text(max_length=LONGEST_NAME)
    password = fields.Text(trim=False, max_length=LONGEST_PASSWORD)


class NewName(fields.Text):
    """The name of a new user; `transitions.register` refuses others."""

    def schema(self, refer: fields.Refer) -> fields.Schema:
        return super().schema(refer) | {"pattern": f"^{USERNAME.pattern}$"}


class RegisterRequestSerializer(SignInRequestSerializer):
    """A password has six characters or more, a capital letter and one that is no letter or digit
    among them."""

    username = NewName(max_length=LONGEST_NAME)


class LoginRequestSerializer(SignInRequestSerializer):
    agent_auth = fields.Flag(default=False)
    agent_name = fields.Text(default="", max_length=LONGEST_NAME)


class CodeRequestSerializer(RequestSerializer):
    code = fields.Text(max_length=LONGEST_NAME)


def refused(name: str, why: str) -> Invalid:
    problem = Invalid(f"{name} {why}")
    problem.details = {name: [problem.message]}
    return problem
