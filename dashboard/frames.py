"""What the stream says of the journal, as server-sent events (contract 000-002, 3.12)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

import orjson

from events.models import Source
from events.tail import Batch, TailRow

HELLO = b"retry: 2000\nid: %d\nevent: hello\ndata: {}\n\n"
PING = b": ping\n\n"
TOPICS = ("agents", "tasks", "channels", "chains", "jobs", "inputs", "events")
MOST_IDS = 50

Changed = Mapping[str, object]

_encoded: WeakKeyDictionary[Batch, bytes] = WeakKeyDictionary()


def encoded(batch: Batch) -> bytes:
    """A batch as all who watch are told of it: encoded once, each topic said once."""
    if batch not in _encoded:
        _encoded[batch] = b"".join(_frames(batch))
    return _encoded[batch]


def _frames(batch: Batch) -> Iterator[bytes]:
    now = datetime.now(UTC)
    changed: dict[str, dict[str, None]] = {}
    for line in batch.rows:
        for topic, identifier in _topics(line):
            changed.setdefault(topic, {})[identifier] = None
    for topic in TOPICS:
        if topic in changed or not batch.complete:
            body: dict[str, object] = {"type": topic, "time": now}
            if batch.complete and len(changed[topic]) <= MOST_IDS:
                body["ids"] = list(changed[topic])
            yield _frame("update", batch.cursor, body)
    for payload in _notifications(batch.rows):
        body = {"type": "notification", "time": now, "payload": payload}
        yield _frame("notification", batch.cursor, body)


def _frame(event: str, cursor: int, body: Changed) -> bytes:
    data = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (cursor, event.encode(), data)


def _topics(line: TailRow) -> Iterator[tuple[str, str]]:
    """The lists that a line of the journal makes stale, each with the id of what changed there.

    Claims, reports and detaches change what an agent is said to work on.
    """
    noun, _, verb = line.type.partition(".")
    if line.source == Source.AGENT:
        yield "events", str(line.id)
    elif noun == "task":
        yield "tasks", line.task_id or ""
        if line.agent_id:
            yield "agents", line.agent_id
    elif noun == "chain":
        yield "chains", str(line.chain_id)
        if line.agent_id and verb in {"acquired", "released"}:
            yield "agents", line.agent_id
    elif noun == "channel":
        yield "channels", str(line.channel_id)
    elif noun == "input":
        yield "inputs", str((line.payload or {}).get("input_id", ""))
    elif noun == "agent":
        yield "agents", line.agent_id or ""


def _notifications(lines: Iterable[TailRow]) -> Iterator[Changed]:
    for line in lines:
        if line.source == Source.COORDINATOR and line.type == "agent.setup_waited" and line.payload:
            yield line.payload
