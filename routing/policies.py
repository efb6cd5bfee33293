"""What policies say, and what several of them say together; pure."""

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import orjson
from django.core.exceptions import ValidationError
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from api.body import dumps
from problems import Unavailable
from routing.candidates import Policy, RouteRequest

MOST_ITEMS = 200
LONGEST = 401  # a provider, a slash, a model
MOST_USD = 10**9
DIGITS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)

Json = object
Action = dict[str, object]


class MergeStrategy(TextChoices):
    """How a policy goes with those before it, which have a smaller priority."""

    FIRST_MATCH = "first_match", _("ends here")
    PRIORITY_MERGE = "priority_merge", _("adds what they have not said")
    ALL_MATCH = "all_match", _("narrows what they have said")


class PolicyWrong(Unavailable):
    """A routing policy says what cannot be understood."""

    code = "policy_wrong"


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy: for which calls it is, and what it says of them."""

    name: str
    match: Mapping[str, Json]
    action: Mapping[str, Json]
    strategy: str = MergeStrategy.FIRST_MATCH
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def is_for(self, request: RouteRequest, now: datetime) -> bool:
        """Whether it holds for a call now. Raises PolicyWrong."""
        if (self.valid_from and now < self.valid_from) or (self.valid_to and now >= self.valid_to):
            return False
        match = checked_conditions(self.match, self.name)
        return all(_fits(name, wanted, request) for name, wanted in match.items())


def together(rules: Iterable[Rule], request: RouteRequest, now: datetime) -> Policy:
    """What the rules, in order of their priority, say of a call.

    The first rule that matches counts. `first_match` ends with itself; `priority_merge` adds what
    no rule before has said; `all_match` narrows what those before have said: denials add up, what
    is allowed must be allowed by all, and the smaller limit counts. Raises PolicyWrong: a rule
    that cannot be understood might be the one that denies.
    """
    said: Action = {}
    names: list[str] = []
    for rule in rules:
        if not rule.is_for(request, now):
            continue
        action = checked_action(rule.action, rule.name)
        names.append(rule.name)
        if rule.strategy == MergeStrategy.ALL_MATCH:
            said = _narrowed(said, action)
        else:
            said = action | said
        if rule.strategy == MergeStrategy.FIRST_MATCH:
            break
    return _policy(said, names)


def _fits(name: str, wanted: Json, request: RouteRequest) -> bool:
    options = wanted if isinstance(wanted, list) else [wanted]
    return not {*options}.isdisjoint(CONDITIONS[name](request))


CONDITIONS: Mapping[str, Callable[[RouteRequest], Sequence[str]]] = {
    "service": lambda request: [request.service],
    "intent": lambda request: [request.intent],
    "priority": lambda request: [request.priority],
    "cost_sensitivity": lambda request: [request.cost_sensitivity],
    "region": lambda request: [request.region],
    "tenant_id": lambda request: [str(request.tenant_id)] if request.tenant_id else [],
    "agent": lambda request: [request.agent],
    "channel": lambda request: [request.channel],
    "tags": lambda request: request.tags,
}
"""What a policy may look at."""


def checked_conditions(value: Json, name: str = "match_conditions") -> dict[str, Json]:
    """What a policy looks at. Raises PolicyWrong."""
    if not isinstance(value, dict):
        raise PolicyWrong(f"{name} must be an object.")
    for key, wanted in value.items():
        if key not in CONDITIONS:
            raise PolicyWrong(f"{name} has {key!r}; it may have {', '.join(CONDITIONS)}.")
        options = wanted if isinstance(wanted, list) else [wanted]
        if not options or not all(isinstance(one, str) and one for one in options):
            raise PolicyWrong(f"{name}.{key} must be a text or a list of texts.")
    return value


def checked_action(value: Json, name: str = "action") -> Action:
    """What a policy says, with numbers as they are counted. Raises PolicyWrong."""
    if not isinstance(value, dict):
        raise PolicyWrong(f"{name} must be an object.")
    for key in value:
        if key not in ACTIONS:
            raise PolicyWrong(f"{name} has {key!r}; it may have {', '.join(ACTIONS)}.")
    return {key: ACTIONS[key](f"{name}.{key}", one) for key, one in value.items()}


def check_conditions(value: Json) -> None:
    """Raise ValidationError for what a policy cannot look at."""
    with _for_forms():
        checked_conditions(value)


def check_action(value: Json) -> None:
    """Raise ValidationError for what a policy cannot say."""
    with _for_forms():
        checked_action(value)


@contextmanager
def _for_forms() -> Iterator[None]:
    try:
        yield
    except PolicyWrong as problem:
        raise ValidationError(problem.message) from None


def _names(place: str, value: Json) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise PolicyWrong(f"{place} must be a list of at most {MOST_ITEMS} names.")
    if not all(isinstance(one, str) and 0 < len(one) <= LONGEST for one in value):
        raise PolicyWrong(f"{place} must have names such as openai, gpt-4o or openai/gpt-4o.")
    return frozenset(value)


def _number(most: float) -> Callable[[str, Json], float]:
    def checked(place: str, value: Json) -> float:
        fine = isinstance(value, int | float) and not isinstance(value, bool)
        if not fine or not math.isfinite(number := float(str(value))) or not 0 <= number <= most:
            raise PolicyWrong(f"{place} must be a number from 0 to {most:g}.")
        return number

    return checked


def _usd(place: str, value: Json) -> Decimal:
    """An amount as a number or, to be exact, as a text."""
    text = str(value) if isinstance(value, int | float | str) else ""
    if isinstance(value, bool) or not DIGITS.fullmatch(text):
        raise PolicyWrong(f"{place} must be an amount such as 12.50, up to {MOST_USD:,}.")
    return Decimal(text)


def _flag(place: str, value: Json) -> bool:
    if not isinstance(value, bool):
        raise PolicyWrong(f"{place} must be true or false.")
    return value


def _weights(place: str, value: Json) -> dict[str, float]:
    if not isinstance(value, dict) or len(value) > MOST_ITEMS:
        raise PolicyWrong(f"{place} must be an object of weights by region.")
    return {key: _number(1)(f"{place}.{key}", weight) for key, weight in value.items()}


def _pins(place: str, value: Json) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MOST_ITEMS:
        raise PolicyWrong(f"{place} must be an object of models by intent.")
    if not all(isinstance(one, str) and 0 < len(one) <= LONGEST for one in value.values()):
        raise PolicyWrong(f"{place} must be an object of models by intent.")
    return value


ACTIONS: Mapping[str, Callable[[str, Json], object]] = {
    "allow": _names,
    "deny": _names,
    "max_latency_ms": _number(10**9),
    "max_error_rate": _number(1),
    "region_prefs": _weights,
    "hard_pins": _pins,
    "max_usd_per_call": _usd,
    "daily_usd": _usd,
    "budget_is_hard": _flag,
}
"""What a policy may say."""
LIMITS = ("max_latency_ms", "max_error_rate", "max_usd_per_call", "daily_usd")


def _narrowed(before: Action, action: Action) -> Action:
    """What both say; where they say different things of which neither is narrower, the former."""
    said = action | before
    both = before.keys() & action.keys()
    for name in both & {*LIMITS}:
        old, new = before[name], action[name]
        if isinstance(old, float | Decimal) and isinstance(new, float | Decimal):
            said[name] = old if float(old) <= float(new) else new
    for name in both & {"allow", "deny"}:
        old, new = before[name], action[name]
        if isinstance(old, frozenset) and isinstance(new, frozenset):
            said[name] = old & new if name == "allow" else old | new
    if "budget_is_hard" in both:
        said["budget_is_hard"] = bool(before["budget_is_hard"] or action["budget_is_hard"])
    for name in both & {"region_prefs", "hard_pins"}:
        old, new = before[name], action[name]
        if isinstance(old, dict) and isinstance(new, dict):
            said[name] = new | old
    return said


def _policy(said: Action, names: Sequence[str]) -> Policy:
    if not names:
        return Policy()
    return Policy(**said, names=tuple(names), version=_version(said, names))  # type: ignore[arg-type]  # ACTIONS has made them


def _version(said: Action, names: Sequence[str]) -> str:
    spelled = {
        name: sorted(one) if isinstance(one, frozenset) else str(one) if name in LIMITS else one
        for name, one in said.items()
    }
    return hashlib.sha256(dumps([list(names), spelled], orjson.OPT_SORT_KEYS)).hexdigest()[:12]
