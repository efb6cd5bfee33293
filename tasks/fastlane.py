"""The fast way: outcomes and a claim of chainless tasks in one SQL statement, which is one commit.

It serves what agents do all day: report tasks without a chain and claim the next from one channel.
Whenever anything else is needed (a chain, a claim key, several channels, a draining agent, a report
that is not simply accepted) the statement changes nothing and `Answer.served` says so; the caller
goes the slow way (`tasks.transitions`). What it does, in the order in which it does it:

1. `seen`: renews the agent's presence when that is older than a second; a claim registers it;
2. `held`: locks, by id, the reported tasks that the agent holds by the epoch that it names;
3. `gate`: if all were held, finds the channel and looks, without a lock, what is first in line:
   a task that stands alone, one of a chain, none (also where it is paused); or whether some there
   want something;
4. `closed`: ends the reported tasks (`END_HOLD`, shared with the slow way);
5. `claimed`: takes up to n ready tasks that nobody else is taking.

The array around the claim's select and its literal limit keep PostgreSQL to one walk of
`task_free_alone`; with a join or a bound limit a generic plan read the whole table. For the same
reason whether there is a task of a kind is asked for the first in an order, not by EXISTS: where
many are expected, that reads the table from its start.

Where tasks want something of their agent, a claim goes another way: see `choosy`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import orjson

from events.context import request_id
from tasks.statements import Statement


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an agent says became of a task: done with a result, or failed with a reason."""

    task_id: UUID
    done: bool
    result: object = None
    reason: str = ""
    retriable: bool = False
    epoch: int | None = None


class ClaimedTask(NamedTuple):
    """A task as the fast way hands it out; its JSON is still text."""

    id: UUID
    user_id: UUID | None
    channel_id: UUID
    chain_id: UUID | None
    sequence: int
    title: str
    description: str
    type: str
    payload: str
    priority: int
    execution_mode: str
    status: str
    agent_id: str
    lease_epoch: int
    lease_expires_at: datetime | None
    attempts: int
    max_attempts: int
    job_id: UUID | None
    created_at: datetime
    claimed_at: datetime
    updated_at: datetime
    cancel_asked_at: None = None
    finished_at: None = None
    fail_reason: str = ""
    result: None = None
    dead_letter: str = ""
    postponed: bool = False
    available_at: None = None
    session_token: str = ""
    idempotency_key: str = ""
    blocked: bool = False
    reserved_for_id: None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the statement did. Not served: nothing was changed, and another way must be gone.

    Choosy: that is because tasks of the channel want something of their agent (tasks/choosy.py).
    Overtaken: the outcomes were taken, but others were quicker with every task that stood alone;
    there may be tasks in chains.
    """

    served: bool
    tasks: list[ClaimedTask] = field(default_factory=list)
    choosy: bool = False
    overtaken: bool = False


COLUMNS = ", ".join(f"t.{name}" for name in ClaimedTask._fields[:21])

ALONE = "free AND chain_id IS NULL AND requirement_id IS NULL"
IN_CHAIN = "free AND chain_id IS NOT NULL"
FOR_SOME = "free AND requirement_id IS NOT NULL"
"""What a claim may take, in three kinds; each has an index in the order of the line."""

ORDER = "priority DESC, queue_at, sequence, id"

OUTCOMES = """outcome AS (
  SELECT * FROM unnest(%(ids)s::uuid[], %(done)s::bool[], %(results)s::jsonb[], %(reasons)s::text[],
    %(retriable)s::bool[], %(epochs)s::bigint[])
    AS o (id, done, result, reason, retriable, epoch))"""

HELD = """SELECT o.*, t.lease_epoch, t.agent_id, t.claimed_at,
  o.done OR NOT o.retriable OR t.cancel_asked_at IS NOT NULL OR t.attempts + 1 >= t.max_attempts
    AS ends"""
"""An outcome `o` of the task `t` that its agent holds; `ends`: it is not tried again."""

END_HOLD = """UPDATE tasks_task t SET
    status = CASE WHEN h.done THEN 'done'
      WHEN t.cancel_asked_at IS NOT NULL THEN 'cancelled'
      WHEN h.ends THEN 'failed' ELSE 'queued' END,
    dead_letter = CASE WHEN h.done OR t.cancel_asked_at IS NOT NULL OR NOT h.ends THEN ''
      WHEN h.retriable THEN 'exhausted' ELSE 'not_retriable' END,
    result = CASE WHEN h.done THEN h.result END,
    fail_reason = CASE WHEN h.done THEN '' ELSE h.reason END,
    attempts = t.attempts + (NOT h.done)::int,
    losses = 0,
    closed_epoch = t.lease_epoch,
    lease_expires_at = NULL,
    finished_at = CASE WHEN h.ends THEN now() END,
    agent_id = CASE WHEN h.ends THEN t.agent_id END,
    claimed_at = CASE WHEN h.ends THEN t.claimed_at END,
    available_at = CASE WHEN h.ends THEN t.available_at
      ELSE now() + tasks_retry_delay(t.retry_delay_seconds, t.attempts + 1) END,
    postponed = NOT h.ends AND t.retry_delay_seconds > 0,
    blocked = t.chain_id IS NOT NULL AND NOT h.ends,
    reserved_for_id = NULL,
    updated_at = now()"""
"""How a report ends a hold; `h` is a row of `HELD`. A retry in a chain is settled by the caller."""

KEEP_BAD_ATTEMPTS = """INSERT INTO tasks_attempt
    (task_id, epoch, agent_id, outcome, reason, started_at, ended_at)
  SELECT h.id, h.lease_epoch, h.agent_id, 'failed', h.reason, h.claimed_at, now()
  FROM held h WHERE NOT h.done"""


REGISTER = """INSERT INTO agents_agent (id, protocol)
  SELECT %(agent)s::text, %(protocol)s::text WHERE NOT EXISTS (
    SELECT FROM agents_agent
    WHERE id = %(agent)s AND last_seen_at > now() - interval '1 second')
  ON CONFLICT (id) DO UPDATE SET last_seen_at = now()"""

RENEW = """UPDATE agents_agent SET last_seen_at = now()
  WHERE id = %(agent)s::text AND last_seen_at <= now() - interval '1 second'"""

SAID = """said AS (
  SELECT (SELECT count(*) FROM seen),
    set_config('coordinator.actor', %(actor)s, true),
    set_config('coordinator.request_id', %(request)s, true))"""

START_HOLD = """UPDATE tasks_task t SET status = 'in_progress', agent_id = %(agent)s,
    last_holder = %(agent)s, lease_epoch = t.lease_epoch + 1, lease_seconds = %(lease)s::int,
    lease_expires_at = now() + make_interval(secs => %(lease)s::int),
    claimed_at = now(), updated_at = now()"""

CHANNEL = {"id": "c.id = %(channel)s", "name": "lower(c.name) = lower(%(channel)s)"}

CLAIMED = f"LEFT JOIN claimed t ON true ORDER BY t.{ORDER.replace(', ', ', t.')}"


@lru_cache(maxsize=256)
def statement(outcomes: bool, by: str, limit: int) -> Statement:
    """The statement. `by`: how the claim names its channel, "id" or "name"; "" for none."""
    parts = [f"seen AS ({REGISTER if by else RENEW} RETURNING 1)", SAID]
    held, reported = "true", ""
    if outcomes:
        held = "(SELECT count(*) FROM held) = cardinality(%(ids)s::uuid[])"
        reported = "AND id <> ALL (%(ids)s::uuid[])"
        parts += [
            OUTCOMES,
            f"""held AS ({HELD}
  FROM said, outcome o JOIN tasks_task t ON t.id = o.id
  WHERE t.chain_id IS NULL AND t.status = 'in_progress' AND t.agent_id = %(agent)s
    AND (o.epoch IS NULL OR o.epoch = t.lease_epoch)
  ORDER BY t.id FOR NO KEY UPDATE OF t)""",
        ]
    served = held
    if by:
        served = "EXISTS (SELECT FROM gate WHERE first IN ('alone', 'none'))"
        first = f"""(SELECT * FROM tasks_task
      WHERE channel_id = c.id AND {{}} ORDER BY {ORDER} LIMIT 1)"""  # noqa: S608
        parts.append(
            f"""gate AS (
  SELECT c.id, CASE
    WHEN c.paused_at IS NOT NULL THEN 'none'
    WHEN (SELECT true FROM tasks_task WHERE channel_id = c.id AND {FOR_SOME}
      ORDER BY requirement_id LIMIT 1) THEN 'choosy'
    ELSE COALESCE((SELECT CASE WHEN chain_id IS NULL THEN 'alone' ELSE 'chain' END
      FROM ({first.format(ALONE)} UNION ALL {first.format(IN_CHAIN)}) f
      ORDER BY {ORDER} LIMIT 1), 'none') END AS first
  FROM said, tasks_channel c
  WHERE {CHANNEL[by]} AND {held}
    AND NOT EXISTS (SELECT FROM chains_chain WHERE owner_id = %(agent)s)
    AND NOT EXISTS (SELECT FROM agents_agent
      WHERE id = %(agent)s AND (draining OR capacity IS NOT NULL)))"""  # noqa: S608
        )
    if outcomes:
        parts += [
            f"closed AS ({END_HOLD} FROM held h WHERE t.id = h.id AND {served})",
            f"bad AS ({KEEP_BAD_ATTEMPTS} AND {served})",
        ]
    if by:
        parts.append(
            f"""claimed AS ({START_HOLD}
  WHERE t.id = ANY (ARRAY(
    SELECT id FROM tasks_task
    WHERE channel_id = (SELECT id FROM gate WHERE first = 'alone') AND {ALONE} {reported}
    ORDER BY {ORDER} LIMIT {limit} FOR NO KEY UPDATE SKIP LOCKED))
  RETURNING {COLUMNS}, t.queue_at)"""  # noqa: S608
        )
    columns = ", (SELECT first FROM gate), t.*" if by else ""
    answer = f"SELECT {served}{columns} FROM said {CLAIMED if by else ''}"  # noqa: S608
    return Statement.of(f"WITH {', '.join(parts)} {answer}")


def run(
    agent_id: str,
    *,
    outcomes: Sequence[Outcome] = (),
    channel: UUID | str | None = None,
    max_tasks: int = 1,
    lease_seconds: int | None = None,
    protocol: str = "",
) -> Answer:
    """Report `outcomes` and claim up to `max_tasks` from `channel` (an id or a name), or neither.

    All of it happens, or none of it and the answer is "not served". Must not be called inside a
    transaction that goes on: the locks it takes follow the order of one statement only.
    """
    values = values_of(agent_id, channel, lease_seconds, protocol)
    if outcomes:
        if len({outcome.task_id for outcome in outcomes}) < len(outcomes):
            return Answer(served=False)
        values |= columns_of(outcomes)
    by = naming(channel)
    rows = statement(bool(outcomes), by, max_tasks).run(values)
    if not rows[0][0]:
        return Answer(served=False, choosy=bool(by) and rows[0][1] == "choosy")
    if not by:
        return Answer(served=True)
    tasks = [ClaimedTask(*row[2:-1]) for row in rows if row[2] is not None]
    return Answer(served=True, tasks=tasks, overtaken=rows[0][1] == "alone" and not tasks)


def naming(channel: UUID | str | None) -> str:
    """How a claim names its channel: see `statement`."""
    return "" if channel is None else "id" if isinstance(channel, UUID) else "name"


def values_of(
    agent_id: str, channel: UUID | str | None, lease_seconds: int | None, protocol: str
) -> dict[str, object]:
    """What a statement is told of who claims and where."""
    return {
        "agent": agent_id,
        "actor": f"agent:{agent_id}",
        "request": request_id.get(),
        "protocol": protocol,
        "channel": channel,
        "lease": lease_seconds,
    }


def columns_of(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """The outcomes as the parallel arrays that `OUTCOMES` reads."""
    return {
        "ids": [outcome.task_id for outcome in outcomes],
        "done": [outcome.done for outcome in outcomes],
        "results": [as_json(outcome.result) for outcome in outcomes],
        "reasons": [outcome.reason for outcome in outcomes],
        "retriable": [outcome.retriable for outcome in outcomes],
        "epochs": [outcome.epoch for outcome in outcomes],
    }


def as_json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
