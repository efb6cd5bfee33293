"""A claim that minds what tasks want of their agent: one statement, one commit, chainless tasks.

Tasks that nobody present can do may stand at the head of the line by the thousand and cost nothing:
the index has the requirement before the place in line. So a claim hops from one requirement of
waiting tasks to the next, takes the heads of those lines that the agent meets and of the line of
tasks that want nothing, and of these the first that nobody else is taking. What is not served here
(a chain's task is ready, the agent owns a chain or is draining) goes the slow way, like in
`fastlane`.
"""

from collections.abc import Mapping
from functools import lru_cache
from uuid import UUID

from django.db import transaction

from agents import transitions as agents
from tasks import fastlane
from tasks.fastlane import (
    ALONE,
    CHANNEL,
    CLAIMED,
    COLUMNS,
    FOR_SOME,
    IN_CHAIN,
    ORDER,
    REGISTER,
    SAID,
    START_HOLD,
    Answer,
    ClaimedTask,
)
from tasks.statements import Statement

LOOK_AHEAD = 16
"""How many heads of the line are looked at beyond those wanted: others may be taking them."""

MOST_HEADS = 10_000

MEETS = """NOT %(agent)s = ANY (r.refused_by) AND NOT EXISTS (
    SELECT FROM agents_agent a, jsonb_each_text(r.wants) w
    WHERE a.id = %(agent)s AND a.offers ? w.key AND NOT a.offers -> w.key ? w.value)"""
"""Whether the agent may have tasks of requirement `r`."""

WAITED_FOR = f"""WITH RECURSIVE line (id) AS (
    (SELECT requirement_id FROM tasks_task WHERE channel_id = {{channel}} AND {FOR_SOME}
      ORDER BY requirement_id LIMIT 1)
    UNION ALL
    SELECT (SELECT requirement_id FROM tasks_task WHERE channel_id = {{channel}} AND {FOR_SOME}
      AND requirement_id > line.id ORDER BY requirement_id LIMIT 1)
    FROM line WHERE line.id IS NOT NULL)
  SELECT id FROM line WHERE id IS NOT NULL"""  # noqa: S608
"""The requirements for which tasks wait in a channel.

One look at the index for each: requirements that are known from the past cost nothing.
"""

LINES = f"""{WAITED_FOR}
    AND (SELECT {MEETS} FROM tasks_requirement r WHERE r.id = line.id)"""  # noqa: S608
"""Those of them that the agent meets."""


@lru_cache(maxsize=256)
def statement(by: str, limit: int, heads: int, *, counting: bool = False) -> Statement:
    """A claim that minds what tasks want: the first `heads` that suit are looked at.

    One look at the line for each requirement that the agent meets, and none at those it does not.
    An agent with a capacity is served only `counting` what it holds, and then it must be locked:
    `room` is unknown otherwise.
    """
    capacity = "(SELECT capacity FROM agents_agent WHERE id = %(agent)s)"
    held = "(SELECT count(*) FROM tasks_task WHERE agent_id = %(agent)s AND status = 'in_progress')"
    room = f"LEAST({limit}, GREATEST(0, {capacity} - {held}))" if counting else "NULL"
    head = f"""SELECT {ORDER.replace(" DESC", "")} FROM tasks_task
    WHERE channel_id = (SELECT id FROM gate) AND {{}} ORDER BY {ORDER} LIMIT {heads}"""  # noqa: S608
    return Statement.of(
        f"""WITH seen AS ({REGISTER} RETURNING 1), {SAID},
room AS (SELECT CASE WHEN {capacity} IS NULL THEN {limit} ELSE {room} END AS tasks),
gate AS (
  SELECT CASE WHEN c.paused_at IS NULL THEN c.id END AS id
  FROM said, tasks_channel c WHERE {CHANNEL[by]}
    AND (SELECT tasks FROM room) IS NOT NULL
    AND (SELECT true FROM tasks_task WHERE channel_id = c.id AND {IN_CHAIN}
      ORDER BY {ORDER} LIMIT 1) IS NULL
    AND NOT EXISTS (SELECT FROM chains_chain WHERE owner_id = %(agent)s)
    AND NOT EXISTS (SELECT FROM agents_agent WHERE id = %(agent)s AND draining)),
head AS (
  SELECT id FROM (({head.format(ALONE)}) UNION ALL
    SELECT h.* FROM ({LINES.format(channel="(SELECT id FROM gate)")}) r
    CROSS JOIN LATERAL ({head.format(FOR_SOME + " AND requirement_id = r.id")}) h)
  f ORDER BY {ORDER} LIMIT {heads}),
claimed AS ({START_HOLD}
  WHERE t.id = ANY (ARRAY(
    SELECT id FROM tasks_task WHERE id = ANY (ARRAY(SELECT id FROM head)) AND free
    ORDER BY {ORDER} LIMIT (SELECT tasks FROM room) FOR NO KEY UPDATE SKIP LOCKED))
  RETURNING {COLUMNS}, t.queue_at)
SELECT EXISTS (SELECT FROM gate), (SELECT count(*) FROM head), (SELECT tasks FROM room), t.*
FROM said {CLAIMED}"""  # noqa: S608
    )


def claim(
    agent_id: str,
    *,
    channel: UUID | str,
    max_tasks: int = 1,
    lease_seconds: int | None = None,
    protocol: str = "",
) -> Answer:
    """Claim up to `max_tasks` that suit the agent, as many as its capacity has room for.

    Must not be called inside a transaction that goes on: see `fastlane.run`.
    """
    values = fastlane.values_of(agent_id, channel, lease_seconds, protocol)
    by = fastlane.naming(channel)
    answer = _claim(values, by, max_tasks)
    if answer is None:  # it has a capacity, and must not ask twice at once
        with transaction.atomic():
            agents.lock([agent_id])
            answer = _claim(values, by, max_tasks, counting=True)
    return answer or Answer(served=False)


def _claim(
    values: Mapping[str, object], by: str, max_tasks: int, *, counting: bool = False
) -> Answer | None:
    """What the statement answers; None when it must count what the agent holds.

    Others may take what was seen first; then more of the line is looked at.
    """
    heads = max_tasks + LOOK_AHEAD
    while True:
        rows = statement(by, max_tasks, heads, counting=counting).run(values)
        served, seen, room = rows[0][:3]
        if room is None:
            return None
        tasks = [ClaimedTask(*row[3:-1]) for row in rows if row[3] is not None]
        if tasks or not room or seen < heads or heads > MOST_HEADS:
            return Answer(served=served, tasks=tasks)
        heads *= 8
