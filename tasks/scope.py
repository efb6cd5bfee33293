"""What a caller may not claim from: an agent's token may name channels, users have theirs."""

from collections.abc import Collection
from typing import Any

from accounts.callers import Caller
from accounts.ownership import is_limited, visible
from accounts.permissions import refuse_others
from api.body import JsonValue
from api.serializers import Values
from tasks.models import Channel
from tasks.serializers import ClaimRequestSerializer, ReportRequestSerializer


def beyond_claim(data: JsonValue, caller: Caller) -> Collection[str]:
    """The channels of a claim that are not for the caller."""
    return _beyond(ClaimRequestSerializer.read(data), caller)


def beyond_report(data: JsonValue, caller: Caller) -> Collection[str]:
    """The same of the claim in a report, if there is one."""
    claim: Values | None = ReportRequestSerializer.read(data)["claim"]
    return _beyond(claim, caller) if claim else []


def within(claim: Values, caller: Caller) -> Values:
    """The claim as the caller may make it, by the ids of its channels.

    A name that a user has guessed may become the channel of another at any moment, so it is looked
    up once, and checked then. Raises AnotherChannel.
    """
    scope = caller.scope
    if not (scope.channels if scope else is_limited(caller, changes=True)):
        return claim
    refuse_others(_beyond(claim, caller))
    known = Channel.objects.named(claim["names"]) if claim["names"] else Channel.objects.none()
    mine = known if scope else visible(known, caller, changes=True)
    return claim | {"ids": [*claim["ids"], *mine.values_list("pk", flat=True)], "names": []}


def beyond_channel(name: str, caller: Caller) -> Collection[str]:
    """The channel of this name, unless it is for the caller."""
    return _beyond({"ids": [], "names": [name]}, caller)


def _beyond(claim: Values, caller: Caller) -> Collection[str]:
    """As the database compares names. An unknown channel is not among those of an agent's token."""
    known: dict[str, Any] = Channel.objects.by_name(claim["names"]) if claim["names"] else {}
    asked = {pk: str(pk) for pk in claim["ids"]} | {
        known[name].pk if name in known else name: name for name in claim["names"]
    }
    if caller.scope is not None:
        may = set(Channel.objects.named(caller.scope.channels).values_list("pk", flat=True))
        return [shown for key, shown in asked.items() if key not in may]
    there = Channel.objects.filter(pk__in=[*claim["ids"], *(row.pk for row in known.values())])
    hidden = there.exclude(pk__in=visible(Channel.objects.all(), caller, changes=True).values("pk"))
    return [asked[pk] for pk in hidden.values_list("pk", flat=True)]
