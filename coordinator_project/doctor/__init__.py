"""What `manage.py doctor` looks at: each examination says what it found, and what helps.

for finding in examine():
    print(finding.name, finding.message)
"""

from collections.abc import Iterator

from coordinator_project.doctor import database, secrets, surroundings, work
from coordinator_project.doctor.finding import Finding

EXAMINATIONS = (
    database.migrations,
    database.triggers,
    database.indexes,
    database.months,
    database.dead_tuples,
    database.old_transactions,
    database.connections,
    surroundings.clock,
    surroundings.clocks_of_agents,
    surroundings.disks,
    surroundings.followers,
    secrets.sealed,
    secrets.ending_keys,
    work.leader,
    work.passes,
    work.tallies,
    work.unserved,
    work.dead_letters,
)


def examine() -> Iterator[Finding]:
    """All findings, one after the other."""
    for look in EXAMINATIONS:
        yield look()
