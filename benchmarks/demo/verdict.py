"""Was everything done, rightly, in order and once? The coordinator's tasks and journal tell."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.demo import work
from benchmarks.demo.wire import Body, Wire, inner, text
from benchmarks.demo.work import Plan

SHOWN = 10  # complaints of one kind
ENDED = frozenset({"done", "failed", "cancelled"})


@dataclass
class DemoVerdict:
    """Complaints by kind, and what else is in the journal."""

    results: list[str] = field(default_factory=list)
    once: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    ownership: list[str] = field(default_factory=list)
    taken_back: int = 0
    owners: int = 0

    @property
    def complaints(self) -> list[str]:
        kinds = (self.results, self.once, self.order, self.ownership)
        return [line for kind in kinds for line in kind[:SHOWN]]


def judge(plan: Plan, tasks: Iterable[Body], events: Sequence[Body]) -> DemoVerdict:
    """Hold the tasks as they are, and the journal from its oldest event on, against the plan."""
    verdict = DemoVerdict()
    verdict.results.extend(_wrong_results(plan, {text(task, "id"): task for task in tasks}))
    follow_tasks(events, set(plan.files).union(*plan.chains.values()), verdict)
    for chain_id, steps in plan.chains.items():
        about = [event for event in events if event.get("chain_id") == chain_id]
        _follow_chain(about, {task_id: place + 1 for place, task_id in enumerate(steps)}, verdict)
    return verdict


def tasks_of(wire: Wire, plan: Plan) -> list[Body]:
    return list(wire.pages("/v1/tasks", "tasks", channel_id=plan.channel_id))


def ended(tasks: Iterable[Body]) -> set[str]:
    """The ids of those that have ended, however they did."""
    return {text(task, "id") for task in tasks if task["status"] in ENDED}


def events_of(wire: Wire, plan: Plan) -> list[Body]:
    """The coordinator's journal of this run, oldest first.

    The journal is read backwards to the event of the run's channel; older events are not read.
    """
    events = []
    for event in wire.pages("/v1/events", "events", source="coordinator"):
        if event.get("channel_id") == plan.channel_id:
            events.append(event)
            if event["type"] == "channel.created":
                break
    return events[::-1]


def expected(plan: Plan) -> Iterator[tuple[str, str, Body]]:
    """Every task's id and name with the result it should have, worked out here in one pass."""
    for task_id, file in plan.files.items():
        yield task_id, file.name, {"sha256": work.digest(file.path)}
    for chain_id, steps in plan.chains.items():
        link = ""
        for sequence, task_id in enumerate(steps, start=1):
            link = work.link(chain_id, sequence, link)
            yield task_id, f"step {sequence} of chain {chain_id}", {"link": link}


def _wrong_results(plan: Plan, tasks: dict[str, Body]) -> Iterator[str]:
    for task_id, name, right in expected(plan):
        task = tasks.pop(task_id, {})
        if task.get("status") != "done" or task.get("result") != right:
            outcome = task.get("result") or task.get("fail_reason")
            yield f"{name} is {task.get('status', 'missing')} with {outcome}, not {right}"
    for task_id in tasks:
        yield f"task {task_id} is not of this run"


def follow_tasks(events: Iterable[Body], task_ids: set[str], verdict: DemoVerdict) -> None:
    """Each task is held by one agent at a time, and completed once."""
    holder: dict[str, str] = {}
    done: set[str] = set()
    for event in events:
        task_id, agent_id = text(event, "task_id"), text(event, "agent_id")
        if task_id not in task_ids or event["type"] == "task.created":
            continue
        if task_id in done:
            verdict.once.append(f"task {task_id} was done, then {event['type']} by {agent_id}")
        elif event["type"] == "task.claimed":
            if task_id in holder:
                verdict.once.append(f"{agent_id} claimed {task_id}, held by {holder[task_id]}")
            holder[task_id] = agent_id
        elif event["type"] == "task.completed":
            done.add(task_id)
            # One that was taken back may still be completed by the last who held it.
            late = inner(event, "payload").get("from") == "queued"
            if holder.pop(task_id, agent_id if late else "") != agent_id:
                verdict.once.append(f"{agent_id} completed {task_id} without holding it")
        elif event["type"] == "task.retried":
            holder.pop(task_id, None)
            verdict.taken_back += 1
        else:
            verdict.once.append(f"task {task_id}: {event['type']}")
    verdict.once.extend(f"the journal does not see {task_id} done" for task_id in task_ids - done)


def _follow_chain(events: Iterable[Body], places: dict[str, int], verdict: DemoVerdict) -> None:
    """A step is claimed when all before it are done, by the owner or by who then becomes it."""
    turn, owner, claimer = 1, "", ""
    for event in events:
        agent_id = text(event, "agent_id")
        place = places.get(text(event, "task_id"), 0)
        step = f"{event['type']} of step {place} by {agent_id}"
        if event["type"] in {"task.claimed", "task.completed"}:
            if place != turn:
                verdict.order.append(f"{step} when it was step {turn}'s turn")
            if event["type"] == "task.claimed":
                claimer = agent_id
                if owner not in {"", agent_id}:
                    verdict.ownership.append(f"{step} in a chain of {owner}")
            else:
                turn += 1
                if owner != agent_id:
                    verdict.ownership.append(f"{step} in a chain of {owner or 'nobody'}")
        elif event["type"] == "chain.acquired":
            if owner or inner(event, "payload").get("from") or agent_id != claimer:
                verdict.ownership.append(f"{agent_id} acquired a chain of {owner or claimer}")
            owner = agent_id
            verdict.owners += 1
        elif event["type"] == "chain.released":
            owner = claimer = ""
    if turn != len(places) + 1:
        verdict.order.append(f"a chain ended at step {turn - 1} of {len(places)}")
