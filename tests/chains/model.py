"""The rules as a small pure model: two agents, two chains of two tasks, one task without a chain.

A state has only what cannot be derived: the tasks and the owners of the chains. The turn, the
status of a chain, `blocked` and `reserved_for` are computed from it.
"""

# mypy: ignore-errors
# Tests are not type-checked; the annotations here are for the reader.

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

AGENTS = ("a", "b")
CHAINS = ("X", "Y")
TASKS = ("X1", "X2", "S", "Y1", "Y2")  # in the order of the queue
MAX_ATTEMPTS = 2
MAX_LOSSES = 2
OPEN = {"queued", "in_progress", "locked"}
ACTIVE = {"in_progress", "locked"}
PUT_BACK = {"status": "queued", "agent": None, "asked": False}


class Refused(Exception):
    """The verb is not allowed in this state."""


@dataclass(frozen=True, slots=True)
class Task:
    status: str = "queued"
    agent: str | None = None
    last: str = ""  # its last holder
    attempts: int = 0
    lost_with: tuple[str, ...] = ()  # the agents lost with it in a row
    asked: bool = False  # a cancellation
    closed: str = ""  # what closed its present epoch: done, failed, released, requeued


@dataclass(frozen=True, slots=True)
class Chain:
    owner: str | None = None
    stops: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class State:
    tasks: tuple[Task | None, ...] = (Task(),) * len(TASKS)
    chains: tuple[Chain, ...] = (Chain(),) * len(CHAINS)

    def task(self, name: str) -> Task | None:
        return self.tasks[TASKS.index(name)]

    def chain(self, name: str) -> Chain:
        return self.chains[CHAINS.index(name)]

    def put(self, name: str, **changes: object) -> "State":
        """The state with a task or a chain changed."""
        if name in CHAINS:
            at = CHAINS.index(name)
            chains = list(self.chains)
            chains[at] = replace(chains[at], **changes)
            return replace(self, chains=tuple(chains))
        at = TASKS.index(name)
        tasks = list(self.tasks)
        tasks[at] = replace(tasks[at], **changes)
        return replace(self, tasks=tuple(tasks))

    def without(self, chain: str) -> "State":
        gone = tuple(
            None if chain_of(name) == chain else task
            for name, task in zip(TASKS, self.tasks, strict=True)
        )
        return replace(self.put(chain, owner=None, deleted=True), tasks=gone)


def chain_of(name: str) -> str | None:
    return name[0] if name[0] in CHAINS else None


def steps(state: State, chain: str) -> list[tuple[str, Task]]:
    found = [(name, state.task(name)) for name in TASKS if chain_of(name) == chain]
    return [(name, task) for name, task in found if task]


# Derived from a state.


def turn(state: State, chain: str) -> str | None:
    for name, task in steps(state, chain):
        if any(step.status in ACTIVE for _, step in steps(state, chain)):
            return None
        if task.status == "queued":
            return name
        if task.status == "failed" and state.chain(chain).stops:
            return None
    return None


def blocked(state: State, name: str) -> bool:
    task, chain = state.task(name), chain_of(name)
    return bool(task and chain and task.status == "queued" and turn(state, chain) != name)


def reserved_for(state: State, name: str) -> str | None:
    task, chain = state.task(name), chain_of(name)
    if task is None or chain is None:
        return None
    mine = task.status in ACTIVE or turn(state, chain) == name
    return state.chain(chain).owner if mine else None


def chain_status(state: State, chain: str) -> str:
    statuses = [task.status for _, task in steps(state, chain)]
    if "locked" in statuses:
        return "locked"
    if "failed" in statuses:
        return "failed"
    if statuses and not OPEN & set(statuses):
        return "done"
    if "in_progress" in statuses or state.chain(chain).owner:
        return "in_progress"
    return "queued"


def bound(state: State, agent: str) -> bool:
    return any(reserved_for(state, name) == agent for name in TASKS)


def owned(state: State, agent: str) -> list[str]:
    return [chain for chain in CHAINS if state.chain(chain).owner == agent]


# The verbs: each returns its result and the next state, or raises Refused.

Result = tuple[object, State]


def claim(state: State, agent: str) -> Result:
    mine = agent if bound(state, agent) else None
    for name in TASKS:
        task = state.task(name)
        ready = task and task.status == "queued" and not blocked(state, name)
        if ready and reserved_for(state, name) == mine:
            return name, given(state, name, agent)
    return None, state


def given(state: State, name: str, agent: str) -> State:
    for chain in owned(state, agent):
        state = state.put(chain, owner=None)
    if chain_of(name):
        state = state.put(chain_of(name), owner=agent)
    return state.put(name, status="in_progress", agent=agent, last=agent, closed="")


def assign(state: State, name: str, agent: str) -> Result:
    task = known(state, name)
    if task.status == "in_progress" and task.agent == agent:
        return None, state
    elsewhere = any(reserved_for(state, other) == agent for other in TASKS if other != name)
    if task.status != "queued" or blocked(state, name) or elsewhere:
        raise Refused
    if reserved_for(state, name) not in {None, agent}:
        raise Refused
    return None, given(state, name, agent)


def complete(state: State, name: str, agent: str | None) -> Result:
    return report(state, name, agent, "done")


def fail(state: State, name: str, agent: str | None) -> Result:
    return report(state, name, agent, "failed")


def fail_retriably(state: State, name: str, agent: str | None) -> Result:
    return report(state, name, agent, "queued")


def report(state: State, name: str, agent: str | None, outcome: str) -> Result:
    """A report without an epoch: agent and status decide. Without an agent it is an operator's."""
    task = state.task(name)
    if task is None:
        return "lost", state
    done = outcome == "done"
    if task.status == "in_progress" and agent in {None, task.agent}:
        status = outcome
        if not done and task.asked:
            status = "cancelled"
        elif outcome == "queued" and task.attempts + 1 >= MAX_ATTEMPTS:
            status = "failed"
        return "accepted", state.put(
            name,
            status=status,
            agent=None if status == "queued" else task.agent,
            attempts=task.attempts + (not done),
            lost_with=(),
            closed="done" if done else "failed",
        )
    if agent is not None and agent != task.last:
        return "lost", state
    if not done and task.closed == "failed":
        return "already", state
    if done and task.status == "done":
        return "already", state
    if agent is None or task.status not in {"queued", "failed"} or task.closed:
        return "lost", state
    if done:  # late, but nobody else has claimed it, and no person has begun it anew
        late = {"status": "done", "agent": task.last, "lost_with": (), "closed": "done"}
        return "accepted", state.put(name, **late)
    return "accepted", state.put(name, closed="failed")


def known(state: State, name: str) -> Task:
    task = state.task(name)
    if task is None:
        raise Refused
    return task


def unlock(state: State, name: str, to: str) -> Result:
    task = known(state, name)
    if task.status != "locked":
        raise Refused
    return None, state.put(name, **PUT_BACK if to == "queued" else {"status": "done"})


def requeue(state: State, name: str) -> Result:
    task = known(state, name)
    if task.status != "failed":
        raise Refused
    closed = task.closed or "requeued"
    return None, state.put(name, **PUT_BACK, attempts=0, lost_with=(), closed=closed)


def cancel(state: State, name: str) -> Result:
    if known(state, name).status == "in_progress":
        return None, state.put(name, asked=True)
    return force_cancel(state, name)


def force_cancel(state: State, name: str) -> Result:
    if known(state, name).status in {"done", "failed"}:
        raise Refused
    return None, state.put(name, status="cancelled")


def release(state: State, name: str, agent: str) -> Result:
    """The holder gives the task back undone, and may repeat it."""
    task = known(state, name)
    if task.status == "in_progress" and task.agent == agent:
        return None, lease_ended(state.put(name, closed="released"), name, again=True)
    if task.closed != "released" or task.last != agent:
        raise Refused
    return None, state


def expire(state: State, name: str) -> Result:
    """The lease of a task in progress expires and the reaper ends it."""
    task = state.task(name)
    if task is None or task.status != "in_progress":
        return None, state
    used = task.attempts + 1
    if chain_of(name):
        return None, detached(state.put(name, attempts=used), chain_of(name))
    again = used < MAX_ATTEMPTS
    return None, lease_ended(state.put(name, attempts=used, lost_with=()), name, again)


def lose(state: State, agent: str) -> Result:
    """The agent falls silent, the reaper ends its leases, and the agent is seen again.

    Of what it holds it has named nothing; the task without a chain is always what it claimed first.
    """
    for name in alone_held(state, agent):
        before = state.task(name).lost_with
        lost = before if agent in before else (*before, agent)
        again = len(lost) < MAX_LOSSES
        state = lease_ended(state.put(name, lost_with=lost), name, again)
    for chain in owned(state, agent):
        state = detached(state, chain)
    return None, state


def restart(state: State, agent: str) -> Result:
    """The agent begins anew: what it held is free, and its chain has no owner."""
    for name in alone_held(state, agent):
        state = lease_ended(state, name, again=True)
    for chain in owned(state, agent):
        state = detached(state, chain)
    return None, state


def alone_held(state: State, agent: str) -> list[str]:
    held = [name for name in TASKS if state.task(name) and state.task(name).agent == agent]
    running = [name for name in held if state.task(name).status == "in_progress"]
    return [name for name in running if not chain_of(name)]


def lease_ended(state: State, name: str, again: bool) -> State:
    if state.task(name).asked:
        return state.put(name, status="cancelled")
    return state.put(name, **{"status": "queued", "agent": None} if again else {"status": "failed"})


def detach(state: State, chain: str, agent: str | None) -> Result:
    """`agent` must be the owner; without one an operator detaches any owner."""
    if state.chain(chain).deleted or agent not in {None, state.chain(chain).owner}:
        raise Refused
    return None, detached(state, chain)


def detached(state: State, chain: str) -> State:
    for name, task in steps(state, chain):
        if task.status == "in_progress":
            state = state.put(name, status="cancelled" if task.asked else "locked")
    return state.put(chain, owner=None)


def assign_agent(state: State, chain: str, agent: str) -> Result:
    if state.chain(chain).deleted:
        raise Refused
    if state.chain(chain).owner == agent:
        return None, state
    running = any(task.status == "in_progress" for _, task in steps(state, chain))
    if running or bound(state, agent):
        raise Refused
    for other in owned(state, agent):
        state = state.put(other, owner=None)
    return None, state.put(chain, owner=agent)


def set_on_failure(state: State, chain: str, to: str) -> Result:
    if state.chain(chain).deleted:
        raise Refused
    return None, state.put(chain, stops=to == "stop")


def delete(state: State, chain: str) -> Result:
    active = any(task.status in ACTIVE for _, task in steps(state, chain))
    if state.chain(chain).deleted or active:
        raise Refused
    return None, state.without(chain)


Action = tuple[Callable[..., Result], tuple[str | None, ...]]

ACTIONS: list[Action] = [
    *[(claim, (agent,)) for agent in AGENTS],
    *[(assign, (name, agent)) for name in TASKS for agent in AGENTS],
    *[
        (verb, (name, agent))
        for verb in (complete, fail, fail_retriably)
        for name in TASKS
        for agent in (*AGENTS, None)
    ],
    *[(unlock, (name, to)) for name in TASKS for to in ("queued", "done")],
    *[(verb, (name,)) for verb in (requeue, cancel, force_cancel, expire) for name in TASKS],
    *[(release, (name, agent)) for name in TASKS for agent in AGENTS],
    *[(verb, (agent,)) for verb in (lose, restart) for agent in AGENTS],
    *[(detach, (chain, agent)) for chain in CHAINS for agent in (*AGENTS, None)],
    *[(assign_agent, (chain, agent)) for chain in CHAINS for agent in AGENTS],
    *[(set_on_failure, (chain, to)) for chain in CHAINS for to in ("stop", "continue")],
    *[(delete, (chain,)) for chain in CHAINS],
]


def follow(state: State, action: Action) -> Result:
    """The result of the verb, or "refused", and the next state."""
    verb, values = action
    try:
        return verb(state, *values)
    except Refused:
        return "refused", state


def next_states(state: State) -> Iterator[tuple[Action, object, State]]:
    for action in ACTIONS:
        answer, after = follow(state, action)
        yield action, answer, after


def mirrored(state: State) -> State:
    """The same state with the two agents exchanged, which is equivalent."""
    other = dict(zip(AGENTS, reversed(AGENTS), strict=True)) | {None: None, "": ""}
    return State(
        tuple(
            task
            and replace(
                task,
                agent=other[task.agent],
                last=other[task.last],
                lost_with=tuple(other[agent] for agent in task.lost_with),
            )
            for task in state.tasks
        ),
        tuple(replace(chain, owner=other[chain.owner]) for chain in state.chains),
    )
