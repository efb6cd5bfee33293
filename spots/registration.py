"""Registration of SPOTs by hello and heartbeat."""

import secrets
from collections.abc import Iterable
from ipaddress import ip_address

from agents import transitions as agents
from agents.models import Agent, Protocol
from agents.transitions import Beat
from api.serializers import Values
from spots.serializers import TELEMETRY
from tasks import releases

PREFIX = "spot-"


def hello(values: Values, spot_id: str, *, peer: str) -> Agent:
    """Register a SPOT with its capabilities, or replace those of the SPOT with the given id.

    A SPOT says hello when it has just started, so the tasks that it held before are released. To
    be called in a transaction.
    """
    info = values["spotInfo"] or {}
    capabilities = values["capabilities"] or {}
    facts = {
        "ipAddress": _address(values["ipAddress"]) or peer,
        "host": info.get("host"),
        "totalCores": info.get("cpuCores"),
        "ramMb": info.get("ramMb"),
        "labels": info.get("labels"),
    }
    known = {name: value for name, value in facts.items() if value}
    if values["spotId"]:
        releases.begin_anew(spot_id)
    return agents.beat(
        Beat(
            agent_id=spot_id,
            name=info.get("host", ""),
            protocol=Protocol.SPOT,
            facts={**known, "capabilities": capabilities},
            offers=_offers(capabilities.get("optimizers", [])),
            capacity=info.get("maxConcurrent") or 0,
        )
    )


def new_id() -> str:
    return PREFIX + secrets.token_hex(6)


def _offers(optimizers: Iterable[Values]) -> dict[str, list[str]]:
    """The SPOT's offers; a key without values is left out, which means no limit."""
    named = [one["optimizerId"] for one in optimizers]
    algorithms = [name for one in optimizers for name in one["algorithms"]]
    offers = {"optimizer": named, "algorithm": algorithms}
    each_once = {key: list(dict.fromkeys(filter(None, names))) for key, names in offers.items()}
    return {key: names for key, names in each_once.items() if names}


def heartbeat(values: Values, *, peer: str) -> Agent:
    """Store a SPOT's telemetry; register an unknown SPOT. To be called in a transaction.

    A SPOT that sends no address keeps the first one that it was seen at.
    """
    spot_id = values["spotId"]
    facts = {name: values[name] for name in TELEMETRY if values[name] is not None}
    if address := _address(values["ipAddress"]) or _unless_known(spot_id, peer):
        facts["ipAddress"] = address
    return agents.beat(Beat(agent_id=spot_id, protocol=Protocol.SPOT, facts=facts))


def _unless_known(spot_id: str, peer: str) -> str:
    known = Agent.objects.filter(pk=spot_id, meta__has_key="ipAddress").exists()
    return "" if known else peer


def _address(text: str) -> str:
    """The address, or "" for a malformed one."""
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
