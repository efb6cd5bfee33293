"""How a SPOT comes to be known, and stays so: what its hello and its heartbeats say of it."""

import secrets
from collections.abc import Iterable
from ipaddress import ip_address

from agents import transitions as agents
from agents.models import Agent, Protocol
from agents.transitions import Beat
from api.serializers import Values
from spots.serializers import TELEMETRY
from tasks import leases

PREFIX = "spot-"


def hello(said: Values, *, peer: str) -> Agent:
    """Register a SPOT, or the one that it says it is anew, with what it now says it can do.

    One that says hello has just started, so the tasks that it held before are for others. Inside a
    transaction.
    """
    info = said["spotInfo"] or {}
    capabilities = said["capabilities"] or {}
    facts = {
        "ipAddress": _address(said["ipAddress"]) or peer,
        "host": info.get("host"),
        "totalCores": info.get("cpuCores"),
        "ramMb": info.get("ramMb"),
        "labels": info.get("labels"),
    }
    told = {name: value for name, value in facts.items() if value}
    if said["spotId"]:
        leases.release_on_restart(said["spotId"])
    return agents.beat(
        Beat(
            agent_id=said["spotId"] or PREFIX + secrets.token_hex(6),
            name=info.get("host", ""),
            protocol=Protocol.SPOT,
            facts={**told, "capabilities": capabilities},
            offers=_offers(capabilities.get("optimizers", [])),
            capacity=info.get("maxConcurrent") or 0,
        )
    )


def _offers(optimizers: Iterable[Values]) -> dict[str, list[str]]:
    """What the SPOT can do; where it names nothing it is not limited."""
    named = [one["optimizerId"] for one in optimizers]
    algorithms = [name for one in optimizers for name in one["algorithms"]]
    offers = {"optimizer": named, "algorithm": algorithms}
    each_once = {key: list(dict.fromkeys(filter(None, names))) for key, names in offers.items()}
    return {key: names for key, names in each_once.items() if names}


def heartbeat(said: Values, *, peer: str) -> Agent:
    """Take what a SPOT says of itself; one that is not known is registered. Inside a transaction.

    Who sends no address is known by the one that it was heard from first.
    """
    spot_id = said["spotId"]
    facts = {name: said[name] for name in TELEMETRY if said[name] is not None}
    if address := _address(said["ipAddress"]) or _unless_known(spot_id, peer):
        facts["ipAddress"] = address
    return agents.beat(Beat(agent_id=spot_id, protocol=Protocol.SPOT, facts=facts))


def _unless_known(spot_id: str, peer: str) -> str:
    known = Agent.objects.filter(pk=spot_id, meta__has_key="ipAddress").exists()
    return "" if known else peer


def _address(text: str) -> str:
    """The address, if it is one."""
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
