"""What must be true after a run, whatever broke in it. Each check yields what it finds wrong."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from uuid import UUID

from chaos.history import Call, Entry, EventRow, History, number, text
from tasks.states import EVENTS, FINISHED, Status

Check = Callable[[History], Iterator[str]]

TAKEN = {"accepted", "already"}
DONE_BEFORE = {"already completed", "already terminal"}
QUIET = 0.7  # of the time after which an agent is lost: whoever never paused longer was not silent
AT_WORK = {Status.IN_PROGRESS, Status.LOCKED}
GIVEN = "task.claimed"
BETWEEN: Mapping[tuple[str | None, str | None], str] = {
    (str(source), str(target)): event for (source, target), event in EVENTS.items()
}


def enqueued_tasks_exist(history: History) -> Iterator[str]:
    """Every task and sweep whose creation was acknowledged is there, once."""
    keys: dict[str, str] = {}
    for name, entry in history.every("enqueued"):
        task = history.tables.tasks.get(text(entry, "task"))
        if task is None:
            yield f"task {entry['task']} of {name} is gone"
        elif task.key != entry["key"]:
            yield f"task {task.id} has the key {task.key!r}, not {entry['key']!r}"
    for task in history.tables.tasks.values():
        if task.key and keys.setdefault(task.key, task.id) != task.id:
            yield f"tasks {keys[task.key]} and {task.id} were made for one key"
    totals = {job.id: job.counted[0] for job in history.tables.jobs}
    for _, entry in history.every("swept"):
        job = str(UUID(text(entry, "job").removeprefix("job-")))
        if totals.get(job) != entry["total"]:
            yield f"sweep {job} has {totals.get(job)} tasks, not {entry['total']}"


def outcomes_are_kept(history: History) -> Iterator[str]:
    """What was acknowledged to an agent is in the table."""
    attempts = {(row.task_id, row.epoch) for row in history.tables.attempts}
    for name, entry in history.every("ended"):
        task = history.tables.tasks.get(text(entry, "task"))
        said = f"{name} was answered {entry['verdict']!r} for {entry['outcome']} of {entry['task']}"
        if entry["verdict"] in DONE_BEFORE:
            if entry["outcome"] == "done" and task and task.status != Status.DONE:
                yield f"{said}, which is {task.status}: its result was thrown away"
        elif entry["verdict"] not in TAKEN:
            continue
        elif task is None:
            yield f"{said}, which is gone"
        elif entry["outcome"] == "done":
            if task.status != Status.DONE or not contains(task.result, entry["result"]):
                yield f"{said}, which is {task.status} with the result {task.result}"
        elif entry["outcome"] in {"retriable", "final", "failed"}:
            known = (task.id, entry["epoch"]) in attempts or task.status == Status.CANCELLED
            if not known:
                yield f"{said}, of which there is no attempt {entry['epoch']}"
    for _, entry in history.every("cancelled"):
        task = history.tables.tasks.get(text(entry, "task"))
        if task is None or task.status != Status.CANCELLED:
            yield f"task {entry['task']} was cancelled and is {task.status if task else 'gone'}"


def contains(stored: object, sent: object) -> bool:
    """Whether a stored result has all that was sent."""
    if isinstance(stored, Mapping) and isinstance(sent, Mapping):
        return all(contains(stored.get(name), value) for name, value in sent.items())
    return stored == sent


def leases_are_exclusive(history: History) -> Iterator[str]:
    """No lease was given to two agents, and each is in the journal as it was given."""
    holders: dict[tuple[str, int], str] = {}
    for event in history.tables.events:
        if event.type == GIVEN and event.task_id and event.epoch is not None:
            lease = (event.task_id, event.epoch)
            if lease in holders:
                yield f"lease {lease[1]} of task {lease[0]} was given twice, as the journal has it"
            holders[lease] = event.agent_id or ""
    for name, entry in history.every("given"):
        lease = (text(entry, "task"), int(number(entry, "epoch")))
        holder = holders.get(lease)
        if holder is None:
            yield f"lease {lease[1]} of task {lease[0]} is not in the journal; {name} was given it"
        elif holder != name:
            yield f"lease {lease[1]} of task {lease[0]} was given to {holder} and to {name}"


def leases_are_counted(history: History) -> Iterator[str]:
    """The leases of a task are numbered from 1 without a gap, and the task has the last."""
    events = history.events_of_tasks()
    for task in history.tables.tasks.values():
        given = [event.epoch for event in events.get(task.id, []) if event.type == GIVEN]
        if given != list(range(1, len(given) + 1)) or task.epoch != len(given):
            yield f"task {task.id} is at lease {task.epoch} and was given as {given}"
        if task.closed_epoch > task.epoch:
            yield f"task {task.id} is at lease {task.epoch}, and {task.closed_epoch} is closed"


def tasks_are_done_once(history: History) -> Iterator[str]:
    """No task was completed twice, and no two results of one were accepted."""
    for task_id, events in history.events_of_tasks().items():
        done = sum(event.target == Status.DONE for event in events)
        if done > 1:
            yield f"task {task_id} was completed {done} times"
    accepted: dict[str, Entry] = {}
    for name, entry in history.every("ended"):
        if entry["outcome"] == "done" and entry["verdict"] in TAKEN:
            first = accepted.setdefault(text(entry, "task"), entry)
            if first["result"] != entry["result"]:
                yield f"two results of task {entry['task']} were accepted, the second of {name}"


def changes_have_events(history: History) -> Iterator[str]:
    """Each task's events are a path along the edges, from its creation to its present status."""
    events = history.events_of_tasks()
    for task in history.tables.tasks.values():
        yield from _off_path(task.id, task.status, events.get(task.id, []))
    for task_id in events.keys() - history.tables.tasks.keys():
        yield f"task {task_id} has events and is gone"


def _off_path(task_id: str, status: str, events: list[EventRow]) -> Iterator[str]:
    if not events or events[0].type != "task.created":
        yield f"task {task_id} has no event of its creation"
        return
    now = events[0].target
    for event in events[1:]:
        if event.source != now:
            yield f"task {task_id} was {now}, and {event.type} #{event.id} found it {event.source}"
        edge = BETWEEN.get((event.source, event.target))
        if edge is None or (edge != event.type and event.type in BETWEEN.values()):
            yield f"task {task_id}: {event.type} is no way from {event.source} to {event.target}"
        now = event.target
    if now != status:
        yield f"task {task_id} is {status}, and its last event left it {now}"


def chains_keep_order(history: History) -> Iterator[str]:
    """A task of a chain starts when those before it have ended, and one at a time."""
    tasks = history.tables.tasks
    states: dict[str, dict[str, str]] = defaultdict(dict)
    for event in history.tables.events:
        task = tasks.get(event.task_id or "")
        if task is None or task.chain_id is None or not event.is_change:
            continue
        chain = states[task.chain_id]
        if event.type == GIVEN:
            yield from _out_of_turn(history, task.id, task.sequence, chain)
        chain[task.id] = event.target or ""


def _out_of_turn(
    history: History, task_id: str, sequence: int, chain: Mapping[str, str]
) -> Iterator[str]:
    for other_id, status in chain.items():
        other = history.tables.tasks[other_id]
        stops = other.chain_id in history.tables.stops
        turn = f"step {sequence}, task {task_id}, was given while step {other.sequence}"
        is_before = other.sequence < sequence
        if status in AT_WORK or (is_before and status not in FINISHED):
            yield f"{turn} was {status}"
        elif is_before and status == Status.FAILED and stops:
            yield f"{turn} had failed, in a chain that stops"


def counters_are_right(history: History) -> Iterator[str]:
    """What jobs count equals a recount of their tasks."""
    for job in history.tables.jobs:
        if list(job.counted) != list(job.recounted):
            yield f"job {job.id} counts {job.counted}, a recount {job.recounted}"
        elif not job.unfolded and job.status != job.right_status:
            yield f"job {job.id} is {job.status}, not {job.right_status}"


def nobody_is_lost_for_our_silence(history: History) -> Iterator[str]:
    """Whoever kept calling is not announced lost, nor charged with a loss or an expired lease."""
    for event in history.tables.events:
        agent = event.agent_id or ""
        if event.type == "agent.was_lost" and _called(history, agent, event.at):
            yield f"{agent} was announced lost at {event.at:.1f}, but kept calling"
    for row in history.tables.attempts:
        if row.outcome == "lost" and _called(history, row.agent_id, row.ended_at):
            yield f"task {row.task_id} was lost with {row.agent_id}, which kept calling"
        if row.outcome == "expired" and _renewed(history, row.agent_id, row.task_id, row.ended_at):
            yield f"the lease of task {row.task_id} expired while {row.agent_id} kept renewing it"


def _called(history: History, agent: str, until: float) -> bool:
    """Whether an agent of the fleet went on calling after it was heard for the last time."""
    after = history.lost_after.get(agent)
    return after is not None and went_on(history.calls(agent), until, after)


def _renewed(history: History, agent: str, task_id: str, until: float) -> bool:
    after = history.lost_after.get(agent)
    return after is not None and went_on(history.calls(agent, task_id), until, after)


def went_on(calls: list[Call], until: float, seconds: float) -> bool:
    """Whether there is no pause of nearly so many seconds among the calls, from the last that was
    answered before `until` up to then."""
    before = [call for call in calls if call.at < until]
    if not before:
        return False
    heard = max((place for place, call in enumerate(before) if call.heard < until), default=0)
    marks = [*(call.at for call in before[heard:]), until]
    return all(b - a < QUIET * seconds for a, b in pairwise(marks))


def streams_miss_nothing(history: History) -> Iterator[str]:
    """Whoever goes on with a cursor was told of all tasks that changed up to there."""
    events = [row for row in history.tables.events if row.task_id and row.type.startswith("task.")]
    for name, lines in history.logs.items():
        hello = next((line for line in lines if line["what"] == "hello"), None)
        if hello is not None:
            # What was before the hello is in what a client reads after it.
            start, at = number(hello, "cursor"), number(hello, "at")
            after = [event for event in events if event.id > start and event.at > at]
            yield from _missed(name, lines, after)


def _missed(name: str, lines: Sequence[Entry], events: Sequence[EventRow]) -> Iterator[str]:
    told: dict[str, float] = {}
    everything, place, cursor = 0.0, 0, 0.0
    seen = [line for line in lines if line["what"] in {"told", "passed", "opened"}]
    for line in [*seen, {"what": "closed"}]:
        if line["what"] == "told":
            ids = line["ids"]
            if isinstance(ids, list):
                told.update(dict.fromkeys(ids, number(line, "at")))
            else:
                everything = number(line, "at")
        elif line["what"] == "passed":
            cursor = number(line, "cursor")
        else:
            # A client that begins with this cursor will not be told of what lies below any more.
            end = line["what"] == "closed"
            while place < len(events) and (end or events[place].id <= cursor):
                event = events[place]
                place += 1
                if max(everything, told.get(event.task_id or "", 0.0)) < event.at:
                    yield f"{name}, at {cursor:.0f}, was never told of {event.type} #{event.id}"


CHECKS: Mapping[str, Check] = {
    "acknowledged tasks exist": enqueued_tasks_exist,
    "acknowledged outcomes are kept": outcomes_are_kept,
    "a lease has one holder": leases_are_exclusive,
    "leases are numbered without gaps": leases_are_counted,
    "a task is done once": tasks_are_done_once,
    "each change has one event": changes_have_events,
    "chains keep their order": chains_keep_order,
    "counters equal a recount": counters_are_right,
    "streams miss nothing": streams_miss_nothing,
    "nobody is lost for our silence": nobody_is_lost_for_our_silence,
}
