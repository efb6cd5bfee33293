"""A task's place in the line of its channel."""

from django.db import connection

from tasks.choosy import WAITED_FOR
from tasks.fastlane import ALONE, FOR_SOME, IN_CHAIN, ORDER
from tasks.models import Task

MOST = 1_000
"""How far the line is looked along: a task behind so many others is just far behind."""

HEAD = f"""SELECT {ORDER.replace(" DESC", "")} FROM tasks_task
  WHERE channel_id = %(channel)s AND {{}} ORDER BY {ORDER} LIMIT {MOST}"""  # noqa: S608

AHEAD = f"""SELECT count(*) FROM (({HEAD.format(ALONE)}) UNION ALL ({HEAD.format(IN_CHAIN)})
  UNION ALL SELECT h.* FROM ({WAITED_FOR.format(channel="%(channel)s")}) r
    CROSS JOIN LATERAL ({HEAD.format(FOR_SOME + " AND requirement_id = r.id")}) h) f
WHERE priority > %(priority)s OR priority = %(priority)s
  AND (queue_at, sequence, id) < (%(queue_at)s, %(sequence)s, %(id)s)"""  # noqa: S608
"""The free tasks before one. Each line is read from its head and no further than is counted:
asked only for those before the task, the database would read on to the end to find more.
"""


def place(task: Task) -> int:
    """The task's place among the free ones of its channel, from 1; more than `MOST` for far behind.

    Tasks that want something are counted as well, though not every agent may have them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            AHEAD,
            {
                "channel": task.channel_id,
                "priority": task.priority,
                "queue_at": task.queue_at,
                "sequence": task.sequence,
                "id": task.pk,
            },
        )
        ahead = int(cursor.fetchone()[0])
    return min(ahead, MOST) + 1
