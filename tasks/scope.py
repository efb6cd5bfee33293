"""What the token of an agent that names channels may not claim from."""

from collections.abc import Collection
from typing import Any

from api.body import JsonValue
from api.serializers import Values
from tasks.models import Channel
from tasks.serializers import ClaimRequestSerializer, ReportRequestSerializer


def beyond_claim(data: JsonValue, allowed: Collection[str]) -> Collection[str]:
    """The channels of a claim that are not among those of these names."""
    return _beyond(ClaimRequestSerializer.read(data), allowed)


def beyond_report(data: JsonValue, allowed: Collection[str]) -> Collection[str]:
    """The same of the claim in a report, if there is one."""
    claim: Values | None = ReportRequestSerializer.read(data)["claim"]
    return _beyond(claim, allowed) if claim else []


def beyond_channel(name: str, allowed: Collection[str]) -> Collection[str]:
    """The channel of this name, unless it is among those."""
    return _beyond({"ids": [], "names": [name]}, allowed)


def _beyond(claim: Values, allowed: Collection[str]) -> Collection[str]:
    """As the database compares names. A channel that is unknown is not among them either."""
    may = set(Channel.objects.named(allowed).values_list("pk", flat=True))
    known: dict[str, Any] = Channel.objects.by_name(claim["names"]) if claim["names"] else {}
    asked = {pk: str(pk) for pk in claim["ids"]} | {
        known[name].pk if name in known else name: name for name in claim["names"]
    }
    return [shown for key, shown in asked.items() if key not in may]
