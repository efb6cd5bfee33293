"""Statements too large and too frequent for Django's cursor: prepared, bound by the server."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import psycopg
from django.db import connection
from psycopg.rows import TupleRow

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
            return cursor.fetchall() if cursor.description else []
