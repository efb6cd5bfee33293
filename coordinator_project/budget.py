"""The database's connections, counted: who in a coordinator has one, and how many there must be.

Said here once; without Django, since the embedded PostgreSQL is started before it.
"""

from collections.abc import Mapping

# The threads of a process that answers HTTP, by the name of their pool. Each keeps a connection.
THREADS: Mapping[str, int] = {
    "agents": 4,  # PostgreSQL serves this number fastest on two cores
    "people": 2,
    "bulk": 2,
    "sign-ins": 2,
    "details": 3,  # who may see them, what they look at, and whether it is ready
    "async": 1,
    "health": 2,
    "console": 1,
    "waiting-claims": 2,
    "artifacts": 2,
    "log-followers": 1,
    "realtime": 1,
    "callers": 1,  # looks up again those who wait
}
LISTENERS = 2  # of a process: the notifications of waiting claims, and the end of the journal
PROBE = 1  # of a process: opened for a moment while an answer does not come
OF_A_PROCESS = sum(THREADS.values()) + LISTENERS + PROBE
OF_THE_BULK = THREADS["bulk"] + PROBE  # of the process that answers what others hand over
OF_THE_LOOP = 6
RESERVE = 10  # commands, psql, dumps, and what a killed process has left for a moment
OF_SUPERUSERS = 3  # of max_connections, which other roles cannot have
LEAST = 100  # max_connections of the embedded PostgreSQL


def needed(processes: int) -> int:
    """The connections that a coordinator with so many HTTP processes may have at once."""
    return processes * OF_A_PROCESS + OF_THE_BULK + OF_THE_LOOP + RESERVE


def embedded(processes: int) -> int:
    """`max_connections` of the embedded PostgreSQL."""
    return max(LEAST, needed(processes) + OF_SUPERUSERS)


def fitting(allowed: int, processes: int) -> int:
    """How many of the HTTP processes fit into so many connections.

    One does without the reserve; 0 if even that is too much.
    """
    others = OF_THE_BULK + OF_THE_LOOP
    if allowed < OF_A_PROCESS + others:
        return 0
    return max(1, min(processes, (allowed - others - RESERVE) // OF_A_PROCESS))
