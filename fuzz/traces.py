"""What a pass has changed in the database, row by row, and what each role may change."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import orjson
import psycopg
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

Row: TypeAlias = Mapping[str, object]
Snapshot: TypeAlias = Mapping[str, Mapping[str, Row]]
"""The rows of each table, by their keys."""

BY_ITSELF = frozenset(
    {
        "agents_pulse",
        "coordinator_project_passrecord",
        "coordinator_project_leaderlease",
        "tasks_tallymark",
        "tasks_taskrollup",
        "tasks_tasktally",
        "tasks_tasktiming",
        "tasks_waitrollup",
    }
)
"""Tables that the maintenance loop writes, whoever asks for what."""
COLUMNS_BY_THEMSELVES: Mapping[str, frozenset[str]] = {
    "agents_agent": frozenset({"announced"}),  # the loop compares it with `last_seen_at`
    "accounts_apitoken": frozenset({"last_used_at"}),  # any request with it
}
AUDIT = "events_operatoraction"
SNAPSHOTS = "routing_routingsnapshot"
THE_LOOP = "coordinator"
"""The actor of what the loop does."""
SIGN_INS = frozenset({"accounts_user", "accounts_user_groups", "accounts_apitoken"})
PEOPLE = SIGN_INS | {"accounts_user_user_permissions", "accounts_signincode", "auth_group"}
OF_THE_VAULT = frozenset({"vault_securekey", "vault_keyversion", "vault_keyaudit"})
DISMISSED = "agents_dismissal"
OF_AN_AGENT = frozenset(
    {"tasks_attempt", "tasks_claimkey", "tasks_taskinput", "events_eventkey", "agents_notification"}
)
TABLES = """SELECT relname FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"""


@dataclass(frozen=True, slots=True)
class Change:
    """A row that is new (`before` is None), gone (`after` is None) or another one."""

    table: str
    key: str
    before: Row | None
    after: Row | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.table}: {self.key} is new: {shown(self.after or {})}"
        if self.after is None:
            return f"{self.table}: {self.key} is gone"
        now = {name: value for name, value in self.after.items() if value != self.before.get(name)}
        return f"{self.table}: {self.key} has {shown(now)}"

    def has(self, value: str, *columns: str) -> bool:
        """Whether one of these columns has, or had, this value."""
        rows = [row for row in (self.before, self.after) if row is not None]
        return any(row.get(column) == value for row in rows for column in columns)


Rule: TypeAlias = Callable[[Change, str], bool]
"""Whether a role may have made this change; with the id of its user or its agent."""


def shown(row: Row) -> str:
    return orjson.dumps(row).decode()[:300]


def snapshot(connection: psycopg.Connection) -> Snapshot:
    """All rows as they are now, without what changes by itself."""
    names = [str(name) for (name,) in connection.execute(TABLES)]
    return {name: _rows(connection, name) for name in sorted(names) if name not in BY_ITSELF}


def _rows(connection: psycopg.Connection, table: str) -> Mapping[str, Row]:
    left_out = list(COLUMNS_BY_THEMSELVES.get(table, ()))
    statement = SQL("SELECT to_jsonb(row) - %s::text[] FROM {} AS row").format(Identifier(table))
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows: list[Row] = [row for (row,) in cursor.execute(statement, [left_out])]
    return {key_of(row): row for row in rows if not _of_the_loop(table, row)}


def key_of(row: Row) -> str:
    return str(row["id"]) if "id" in row else orjson.dumps(row).decode()


def _of_the_loop(table: str, row: Row) -> bool:
    return table == "events_event" and row["actor"] == THE_LOOP


def changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    for table in sorted({*before, *after}):
        old, new = before.get(table, {}), after.get(table, {})
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                yield Change(table, key, old.get(key), new.get(key))


def beyond(rule: Rule, me: str, before: Snapshot, after: Snapshot) -> list[Change]:
    """The changes that neither the role nor everybody may make."""
    return [one for one in changes(before, after) if not (of_everybody(one) or rule(one, me))]


def of_everybody(change: Change) -> bool:
    """Who registers is a new user, and a sign-in leaves a new token: nobody needs rights for it.

    The audit of keys has a row for each request that is refused, and counts it.
    """
    if change.table == "vault_keytally":
        return True
    if change.table == "vault_keyaudit" and change.before is None and change.after is not None:
        return change.after["success"] is False
    if change.table not in SIGN_INS or change.before is not None or change.after is None:
        return False
    return change.table != "accounts_apitoken" or change.after["is_login"] is True


def nothing(change: Change, me: str) -> bool:
    """For those whom nobody knows."""
    return False


def everything(change: Change, me: str) -> bool:
    """For administrators."""
    return True


def own_tokens(change: Change, me: str) -> bool:
    """For those who only look: they may revoke their own tokens, of which the audit has a row."""
    if change.table == "accounts_apitoken":
        return bool(me) and None not in (change.before, change.after) and change.has(me, "user_id")
    return change.table == AUDIT and change.before is None and change.has(me, "user_id")


def steering(change: Change, me: str) -> bool:
    """For those who operate: no rights of people, no tokens of others, no agent removed."""
    if change.table == "agents_agent":
        return change.after is not None
    if change.table.startswith("routing_"):
        return change.table == SNAPSHOTS and change.before is None
    return change.table not in PEOPLE | OF_THE_VAULT or own_tokens(change, me)


def owning(change: Change, me: str) -> bool:
    """For users: agents of theirs, channels of theirs or of nobody.

    What their agents claim in the channels of nobody may be of anybody, so tasks, chains and jobs
    of others change too.
    """
    if change.table == "agents_agent":
        return change.after is not None and change.has(me, "user_id")
    if change.table == "tasks_channel":
        owners = {row["user_id"] for row in (change.before, change.after) if row is not None}
        return owners <= {None, me}
    if change.table == SNAPSHOTS:
        return change.before is None and change.has(me, "tenant_id")
    if change.table == DISMISSED:
        return False
    return steering(change, me)


def of_agent(change: Change, me: str) -> bool:
    """For the token of an agent: itself, what it holds or has held, and its chain."""
    match change.table:
        case "agents_agent":
            return change.key == me and change.after is not None
        case "tasks_task":
            held = change.has(me, "agent_id", "last_holder", "reserved_for_id")
            return held and None not in (change.before, change.after)
        case "chains_chain":
            return change.has(me, "owner_id")
        case "events_event":
            mine = change.has(f"agent:{me}", "actor") or change.has(me, "agent_id")
            return mine and change.before is None
        case "jobs_job" | "jobs_tally" | "jobs_command" | "tasks_requirement":
            return True  # what counts its tasks, and whom they are for
        case "collab_deadletter":
            return change.has(me, "last_owner")
        case table if table in OF_AN_AGENT:
            return change.has(me, "agent_id")
    return False
