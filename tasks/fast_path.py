"""The fast path: outcomes and a claim of chainless tasks in one SQL statement, which is one commit.

It serves what agents do all day: report tasks without a chain, and claim the next from one or
several channels. Where more is needed (a chain, a claim key, a report that is not simply accepted)
the statement changes nothing, and the caller takes the transactional path (`claims`, `reports`).
What the statement does, in the order in which it happens:

1. `seen`: renews the agent's presence when that is older than a second, unless somebody has locked
   its row: waiting here, the statement would go on with what the agent was before. A claim of a
   new agent registers it and does nothing else; it is made again;
2. `held`: locks, by id, the reported tasks that the agent holds by the epoch that it names;
3. `head`: looks, without a lock, at the first tasks that the agent may have (`queue.heads`);
4. `served`: all reported tasks were held, and a claim meets no chain: the agent owns none, and the
   first task in order is of none (`filling`: that has been decided);
5. `ended`: ends the reported tasks;
6. `claimed`: takes the first of those seen that nobody else is taking.

The limits stand in the text: with a bound limit a generic plan read the whole table.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from django.db import DatabaseError, transaction
from django.db.models import BooleanField, Case, DurationField, F, Q, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from agents import transitions as agents
from api.body import dumps
from events.context import request_id
from problems.database import first_line
from tasks import queue
from tasks.models import COMMAND, Task
from tasks.rows import COLUMNS, ClaimRequest, FastResult, Outcome, TaskRow
from tasks.statements import Statement, assignments, raw, text_of
from tasks.states import (
    CANCEL,
    CLAIM,
    COMPLETE,
    FAIL,
    RETRY,
    Columns,
    DeadLetter,
    first_of,
    paused,
)

log = logging.getLogger("coordinator.claims")

_is_left_aside: ContextVar[bool] = ContextVar("fast_path_is_left_aside", default=False)
MOST_HEADS = 16_384
"""So many tasks that others have locked are walked over; what is behind them waits for those."""


def heads_for(most: int) -> int:
    """How many heads of the queue a claim of so many looks at: three others may be taking as many.

    A power of two, so that a few texts serve all claims.
    """
    return 1 << (4 * most + 11).bit_length()


def steps_from(heads: int) -> Iterator[int]:
    """How many heads a claim looks at in turn, while others have locked all that it sees.

    Other claims leave something among a few more; what somebody keeps locked may be many.
    """
    yield heads
    heads *= 4
    while heads < MOST_HEADS:
        yield heads
        heads *= 16
    yield MOST_HEADS


RENEW = """UPDATE agents_agent SET last_seen_at = now() WHERE id = (
    SELECT id FROM agents_agent
    WHERE id = %(agent)s::text AND last_seen_at <= now() - interval '1 second' {}
    FOR NO KEY UPDATE SKIP LOCKED)"""

RECENT = "last_seen_at > now() - interval '1 hour'"
"""An agent that is silent for longer may be removed just now: a claim waits for its row."""

REGISTER = f"""INSERT INTO agents_agent (id, protocol)
  SELECT %(agent)s::text, %(protocol)s::text
  WHERE NOT EXISTS (SELECT FROM agents_agent WHERE id = %(agent)s AND {RECENT})
  ON CONFLICT (id) DO UPDATE SET last_seen_at = now()"""  # noqa: S608

CONTEXT = """context AS (
  SELECT (SELECT count(*) FROM seen),
    set_config('coordinator.actor', %(actor)s, true),
    set_config('coordinator.request_id', %(request)s, true))"""

OUTCOMES = """outcome AS (
  SELECT * FROM jsonb_to_recordset(%(outcomes)s::jsonb)
    AS o (id uuid, done bool, result jsonb, reason text, retriable bool, epoch bigint) LIMIT {})"""


def expected(outcomes: Sequence[Outcome]) -> int:
    """For how many outcomes the statement is planned: one, or many."""
    return 1 if len(outcomes) == 1 else 1_000


HELD = """held AS MATERIALIZED (
  SELECT o.*, t.lease_epoch, t.agent_id, t.claimed_at,
    o.done OR NOT o.retriable OR t.cancel_asked_at IS NOT NULL OR t.attempts + 1 >= t.max_attempts
      AS ends
  FROM {} (SELECT * FROM outcome ORDER BY id) o CROSS JOIN LATERAL (
    SELECT * FROM tasks_task WHERE id = o.id AND status = 'in_progress' AND {}
      AND (o.epoch IS NULL OR o.epoch = lease_epoch) FOR NO KEY UPDATE) t)"""


def held(holds: str, after: str = "") -> str:
    """The outcomes of tasks that are held, locked by id; `holds`: what else must be so of a task.

    `ends`: it is not tried again. Each task is looked up by its id: an index by agent would be full
    of what the agent held before.
    """
    return HELD.format(after and f"{after},", holds)


KEEP_BAD_ATTEMPTS = """INSERT INTO tasks_attempt
    (task_id, epoch, agent_id, outcome, reason, started_at, ended_at)
  SELECT h.id, h.lease_epoch, h.agent_id, 'failed', h.reason, h.claimed_at, now()
  FROM held h WHERE NOT h.done"""

SERVED = f"chain_id IS NULL AND type <> '{COMMAND}' AND agent_id = %(agent)s"
"""What is said of a command may have secrets, which the transactional path masks."""

NAMED = {
    "ids": "c.id = ANY (%(channels)s::uuid[])",
    "names": "lower(c.name) = ANY (ARRAY(SELECT lower(n) FROM unnest(%(channels)s::text[]) n))",
}


@lru_cache
def end_held() -> str:
    """The UPDATE by which a report ends leases; `h` is a row of `held`."""
    attempts = F("attempts") + 1
    failed: Columns = {
        "attempts": attempts,
        "losses": 0,
        "closed_epoch": F("lease_epoch"),
        "result": None,
        "fail_reason": raw("h.reason"),
    }
    dead_letter = Case(
        When(_is("h.retriable"), then=Value(DeadLetter.EXHAUSTED)),
        default=Value(DeadLetter.NOT_RETRIABLE),
    )
    columns = first_of(
        [
            (_is("h.done"), COMPLETE(result=raw("h.result"))),
            (Q(cancel_asked_at__isnull=False), CANCEL(**failed)),
            (_is("h.ends"), FAIL(**failed, dead_letter=dead_letter)),
        ],
        otherwise=RETRY(**failed, **paused(attempts)),
    )
    return f"UPDATE tasks_task SET {assignments(columns)} FROM held h WHERE tasks_task.id = h.id"  # noqa: S608


def _is(name: str) -> RawSQL:
    return raw(name, BooleanField())


@lru_cache
def start_lease() -> str:
    """The UPDATE that gives tasks to an agent, up to its WHERE."""
    columns = CLAIM(
        agent=raw("%(agent)s"),
        last_holder=raw("%(agent)s"),
        lease_seconds=raw("%(lease)s::int"),
        lease_expires_at=Now() + raw("make_interval(secs => %(lease)s::int)", DurationField()),
    )
    return f"UPDATE tasks_task SET {assignments(columns)}"  # noqa: S608


@lru_cache(maxsize=256)
def statement(
    outcomes: int, claims: str, heads: int, counting: bool, typed: bool = False
) -> Statement:
    """The statement. `claims`: how it names its channels, "ids" or "names"; "" without a claim.

    `outcomes`: for how many it is planned. `heads`: how many tasks it looks at, to take `most` of
    them. An agent with a capacity is served only by `counting` what it holds, and then its row must
    be locked; else `room` is unknown. `typed`: it claims tasks of some types alone.
    """
    parts = [f"registered AS ({REGISTER} RETURNING 1)"] if claims else []
    parts += [f"seen AS ({RENEW.format(f'AND {RECENT}' if claims else '')} RETURNING 1)", CONTEXT]
    needs = []
    if outcomes:
        parts += [
            OUTCOMES.format(outcomes),
            held(SERVED, after="context"),
        ]
        needs.append("(SELECT count(*) FROM held) = jsonb_array_length(%(outcomes)s::jsonb)")
    if claims:
        parts += _looking(claims, heads, outcomes=bool(outcomes), counting=counting, typed=typed)
        needs += [
            "NOT EXISTS (SELECT FROM registered)",
            "(SELECT tasks FROM room) IS NOT NULL",
            "NOT EXISTS (SELECT FROM chains_chain WHERE owner_id = %(agent)s)",
            "(%(filling)s::bool OR COALESCE((SELECT chain_id IS NULL FROM head LIMIT 1), true))",
        ]
    yes = " AND ".join(needs) or "true"
    parts.append(f"served AS MATERIALIZED (SELECT {yes} AS yes FROM context)")  # noqa: S608
    served = "(SELECT yes FROM served)"
    if outcomes:
        returning = "" if claims else f"RETURNING {COLUMNS}, tasks_task.queue_at"
        parts += [
            f"ended AS ({end_held()} AND {served} {returning})",
            f"bad AS ({KEEP_BAD_ATTEMPTS} AND {served})",
        ]
    if not claims:
        return _answer(parts, "NULL, NULL, NULL, false", "ended")
    # One scan: each scan that meets a row which was changed meanwhile sets up the whole statement
    # once more to check it (EvalPlanQual), so a scan for each head made batches a fifth slower.
    heads_alone = _is("tasks_task.id = ANY (ARRAY(SELECT id FROM head WHERE chain_id IS NULL))")
    lock = Task.objects.free().filter(_is(served), heads_alone).order_by(*queue.ORDER)
    parts.append(
        f"""claimed AS ({start_lease()} WHERE tasks_task.id = ANY (ARRAY(
    {text_of(lock.lock_unless_busy().values("id"))} LIMIT (SELECT tasks FROM room)))
  RETURNING {COLUMNS}, tasks_task.queue_at)"""  # noqa: S608
    )
    seen = "(SELECT count(*) FROM head), (SELECT count(chain_id) FROM head)"
    more = "(SELECT tasks FROM room), EXISTS (SELECT FROM registered)"
    return _answer(parts, f"{seen}, {more}", "claimed")


def _looking(claims: str, heads: int, *, outcomes: bool, counting: bool, typed: bool) -> list[str]:
    """How many tasks there is room for, in which channels, and the heads of their queues."""
    capacity = "(SELECT capacity FROM agents_agent WHERE id = %(agent)s)"
    holds = (
        "(SELECT count(*) FROM tasks_task WHERE agent_id = %(agent)s AND status = 'in_progress')"
    )
    reported = " + (SELECT count(*) FROM held)" if outcomes else ""
    room = f"LEAST(%(most)s, GREATEST(0, {capacity} - {holds}{reported}))" if counting else "NULL"
    read = (
        queue.heads_of_types("channel", heads)
        if typed
        else queue.heads("channel", heads, of_chains=1)
    )
    return [
        "room AS (SELECT"
        f" CASE WHEN {capacity} IS NULL THEN %(most)s::int ELSE {room} END AS tasks)",
        f"""channel AS (SELECT c.id FROM context, tasks_channel c
  WHERE {NAMED[claims]} AND c.paused_at IS NULL
    AND NOT EXISTS (SELECT FROM agents_agent WHERE id = %(agent)s AND draining))""",  # noqa: S608
        f"head AS MATERIALIZED ({read})",
    ]


def _answer(parts: Sequence[str], more: str, rows: str) -> Statement:
    """Whether it was served, and each row behind that; at least one line, whatever happened."""
    return Statement.of(
        f"WITH {', '.join(parts)} SELECT (SELECT yes FROM served), {more}, r.*"  # noqa: S608
        f" FROM context LEFT JOIN {rows} r ON true ORDER BY {queue.order_by('r')}"
    )


@contextmanager
def left_aside() -> Iterator[None]:
    """A transaction that may go on behind a claim or a report: the path does not apply in it."""
    token = _is_left_aside.set(True)
    try:
        with transaction.atomic():
            yield
    finally:
        _is_left_aside.reset(token)


def run(
    agent_id: str, outcomes: Sequence[Outcome] = (), request: ClaimRequest | None = None
) -> FastResult | None:
    """Take the outcomes and claim, or do one of both; None when the path does not apply.

    All of it happens, or nothing. Must not be called inside a transaction that goes on: the locks
    that the statement takes follow the order of one statement only.
    """
    if not outcomes and not request:
        return FastResult([])
    if _is_left_aside.get():
        return None
    if (request and request.key) or len({one.task_id for one in outcomes}) < len(outcomes):
        return None
    return _run(_values(agent_id, outcomes, request), outcomes, request)


def _run(
    values: dict[str, object],
    outcomes: Sequence[Outcome],
    request: ClaimRequest | None,
    *,
    counting: bool = False,
) -> FastResult | None:
    """Others may take what was seen first; then more of the queue is looked at."""
    claims = "" if request is None else "ids" if request.ids else "names"
    typed = bool(request and request.type_prefix)
    tasks: list[TaskRow] = []
    begun = False
    for heads in steps_from(heads_for(request.max_tasks) if request else 0):
        planned = expected(outcomes) if outcomes else 0
        try:
            answer = statement(planned, claims, heads, counting, typed).run(values)
        except DatabaseError as failure:
            if not begun or counting:  # nothing was changed, or nothing is once this is undone
                raise
            log.warning("A claim was cut short.", extra={"problem": first_line(failure)})
            return FastResult(tasks)
        served, seen, of_chains, room, registered = answer[0][:5]
        if registered:  # only that was done, and what the agent is may have changed meanwhile
            return _run(values, outcomes, request, counting=counting)
        if request and room is None and not begun:  # with a capacity it must not ask twice at once
            with transaction.atomic():
                agents.lock([request.agent_id])
                return _run(values, outcomes, request, counting=True)
        if not served:
            return FastResult(tasks, overtaken=not tasks) if begun else None
        taken = [TaskRow(*row[5:-1]) for row in answer if row[5] is not None]
        tasks += taken
        if not request or len(taken) == room or not seen:
            return FastResult(tasks)
        if seen < heads:
            break
        begun, outcomes = True, []
        values |= {"most": request.max_tasks - len(tasks), "filling": bool(tasks)}
    return FastResult(tasks, overtaken=bool(of_chains) and not tasks)


def _values(
    agent_id: str, outcomes: Sequence[Outcome], request: ClaimRequest | None
) -> dict[str, object]:
    values: dict[str, object] = {
        "agent": agent_id,
        "actor": f"agent:{agent_id}",
        "request": request_id.get(),
    }
    if request:
        values |= {
            "protocol": request.protocol,
            "channels": list(request.ids or request.names),
            "lease": request.lease_seconds,
            "most": request.max_tasks,
            "filling": False,
        }
        if request.type_prefix:
            values["type_prefix"] = request.type_prefix
    return values | {"outcomes": as_json(outcomes)} if outcomes else values


def as_json(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as `OUTCOMES` reads them."""
    return dumps(
        [
            {
                "id": outcome.task_id,
                "done": outcome.done,
                "result": outcome.result,
                "reason": outcome.reason,
                "retriable": outcome.retriable,
                "epoch": outcome.epoch,
            }
            for outcome in outcomes
        ]
    ).decode()
