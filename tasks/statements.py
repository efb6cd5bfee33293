"""Statements too large and too frequent for Django's cursor: prepared, bound by the server.

Their parts are made by Django's own compiler: `text_of` a queryset, `assignments` of columns.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from django.apps import apps
from django.db import connection, transaction
from django.db.models import Field, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.sql import UpdateQuery
from psycopg import sql
from psycopg.rows import TupleRow

from tasks.states import Columns

NAMED = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Statement:
    """An SQL text whose values are numbered as PostgreSQL wants them, and their names in order.

    Numbered once here, for psycopg would look for names in a long text at every run.
    """

    text: bytes
    names: tuple[str, ...]

    @classmethod
    def of(cls, sql: str) -> Self:
        """From a text with `%(name)s` for each value; white space is of no account."""
        names = tuple(dict.fromkeys(NAMED.findall(sql)))
        numbered = NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", " ".join(sql.split()))
        return cls(numbered.encode(), names)

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        return [values[name] for name in self.names]

    def run(self, values: Mapping[str, object]) -> list[TupleRow]:
        """The rows it answers with, if any, on Django's connection, prepared after a few runs.

        Its errors are Django's all the same: so a connection that broke is known to be broken.
        """
        connection.ensure_connection()
        with connection.wrap_database_errors, psycopg.RawCursor(connection.connection) as cursor:
            cursor.execute(self.text, self.arguments(values))
            # Not `description`, which makes an object for each column.
            rows = cursor.pgresult is not None and cursor.pgresult.nfields
            return cursor.fetchall() if rows else []


def raw(text: str, output_field: Field | None = None) -> RawSQL:
    """An expression that stands in a queryset as it is: a name of the statement around it."""
    return RawSQL(text, [], output_field)  # noqa: S611  (texts of this project, no values)


def text_of(rows: QuerySet[Any, Any]) -> str:
    """The SELECT of a queryset with its values written out, as a part of a statement.

    Written out, they let the planner see that a partial index serves.
    """
    with transaction.atomic():  # Django compiles FOR UPDATE only inside of one
        return _written_out(*rows.query.sql_with_params())


def assignments(columns: Columns) -> str:
    """What stands behind SET in the UPDATE of tasks that `.update(**columns)` would run."""
    query = UpdateQuery(apps.get_model("tasks", "Task"))
    query.add_update_values(dict(columns))
    text = _written_out(*query.get_compiler(connection=connection).as_sql())
    return text.partition(" SET ")[2]


def _written_out(text: str, values: tuple[object, ...]) -> str:
    remaining = iter(values)
    return re.sub("%s", lambda _: sql.Literal(next(remaining)).as_string(None), text)
