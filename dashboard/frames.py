"""The journal as server-sent events of the stream (contract 000-002, 3.12)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

import orjson

from api.body import dumps
from events.models import Source
from events.tail import Batch, TailRow

HELLO = b"retry: 2000\nid: %d\nevent: hello\ndata: {}\n\n"
TOPICS = ("agents", "tasks", "channels", "chains", "jobs", "inputs", "events")
MOST_IDS = 50

Changed = Mapping[str, object]

_encoded: WeakKeyDictionary[Batch, bytes] = WeakKeyDictionary()


def encoded(batch: Batch) -> bytes:
    """A batch as all subscribers get it: encoded once, each topic once."""
    if batch not in _encoded:
        _encoded[batch] = _with_cursor(list(_frames(batch)), batch.cursor)
    return _encoded[batch]


def _with_cursor(frames: list[bytes], cursor: int) -> bytes:
    """The frames, of which only the last has the cursor: where the connection breaks between two
    of them, the client goes on before the batch."""
    if frames:
        frames[-1] = b"id: %d\n" % cursor + frames[-1]
    return b"".join(frames)


def _frames(batch: Batch) -> Iterator[bytes]:
    now = datetime.now(UTC)
    changed: dict[str, dict[str, None]] = {}
    for row in batch.rows:
        for topic, identifier in _topics(row):
            changed.setdefault(topic, {})[identifier] = None
    for topic in TOPICS:
        if topic in changed or not batch.complete:
            body: dict[str, object] = {"type": topic, "time": now}
            if batch.complete and len(changed[topic]) <= MOST_IDS:
                body["ids"] = list(changed[topic])
            yield _frame("update", body)
    for payload in _notifications(batch.rows):
        body = {"type": "notification", "time": now, "payload": payload}
        yield _frame("notification", body)


def _frame(event: str, body: Changed) -> bytes:
    data = dumps(body, orjson.OPT_UTC_Z)
    return b"event: %s\ndata: %s\n\n" % (event.encode(), data)


def _topics(row: TailRow) -> Iterator[tuple[str, str]]:
    """The lists that a row of the journal makes stale, each with the id of what changed there.

    Claims, reports and detaches change what an agent works on.
    """
    noun, _, verb = row.type.partition(".")
    if row.source == Source.AGENT:
        yield "events", str(row.id)
    elif noun == "task":
        yield "tasks", row.task_id or ""
        if row.agent_id:
            yield "agents", row.agent_id
    elif noun == "chain":
        yield "chains", str(row.chain_id)
        if row.agent_id and verb in {"acquired", "released"}:
            yield "agents", row.agent_id
    elif noun == "channel":
        yield "channels", str(row.channel_id)
    elif noun == "input":
        yield "inputs", str((row.payload or {}).get("input_id", ""))
    elif noun == "agent":
        yield "agents", row.agent_id or ""


def _notifications(rows: Iterable[TailRow]) -> Iterator[Changed]:
    for row in rows:
        if row.source == Source.COORDINATOR and row.type == "agent.setup_waited" and row.payload:
            yield row.payload
