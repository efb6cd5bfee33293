"""Results as a stream, a few rows at a time: JSON, NDJSON or CSV."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO

from api import body
from api.body import JsonDict, JsonValue
from api.renderers import dumps
from jobs import answers, coordinates
from problems import Problem
from tasks.models import Task
from tasks.states import Status

CSV = "text/csv; charset=utf-8"
JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson; charset=utf-8"
BOM = "\ufeff"  # by which spreadsheets recognise UTF-8
COLUMNS = (
    "task_id",
    "algorithm",
    "function",
    "iterations_param",
    "agents",
    "dimension",
    "spot",
    "runtime_ms",
    "status",
    "iter_actual",
    "fopt",
    "best_position",
)
OF_FAILED = ("error", "attempts")
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_lines(rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """NDJSON: each result on its own line."""
    return (dumps(row) for row in rows)


def as_json(head: Mapping[str, object], rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """`head`, the results, and at the end `totalCompleted`, which is counted on the way."""
    yield dumps(head).rstrip(b"}\n") + b',"results":['
    completed = 0
    for place, row in enumerate(rows):
        completed += row["status"] == "DONE"
        yield (b"," if place else b"") + dumps(row).rstrip()
    yield b'],"totalCompleted":%d}\n' % completed


def as_table(rows: Iterable[Task], parameters: Sequence[str], *, failed: bool) -> Iterator[bytes]:
    """CSV: the columns that every sweep has, and a column for each parameter of this one.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    buffer = StringIO()
    writer = csv.writer(buffer)
    writer.writerow([*COLUMNS, *map(_safe, parameters), *(OF_FAILED if failed else ())])
    yield (BOM + buffer.getvalue()).encode()
    for row in rows:
        buffer.seek(0)
        buffer.truncate()
        more = [_safe(row.fail_reason), row.attempts] if failed else []
        writer.writerow([*_cells(row, parameters), *more])
        yield buffer.getvalue().encode()


def _cells(row: Task, parameters: Sequence[str]) -> list[object]:
    where = coordinates.of(row.payload)
    document: JsonDict = row.result if isinstance(row.result, dict) else {}
    params = answers.params_of(row) or {}
    return [
        row.pk,
        *(_cell(where.get(name)) for name in coordinates.NAMES),
        _safe(row.last_holder),
        _cell(document.get("runtimeMs")),
        answers.STATUS[Status(row.status)],
        _cell(document.get("iter")),
        _cell(document.get("fopt")),
        _position(document),
        *(_cell(params.get(name)) for name in parameters),
    ]


def _position(document: JsonDict) -> object:
    """The best position, its numbers separated by `;`; taken from `resultJson` if absent."""
    position = document.get("bestPos")
    text = document.get("resultJson")
    if position is None and isinstance(text, str):
        try:
            inner = body.parse(text.encode())
        except Problem:
            inner = None
        position = inner.get("bestPos") if isinstance(inner, dict) else None
    if isinstance(position, list) and all(isinstance(part, (int, float)) for part in position):
        return ";".join(map(str, position))
    return _cell(position)


def _cell(value: JsonValue) -> object:
    """A number as it is, a text made safe, other values as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _safe(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return body.dumps(value).decode()


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(STARTS_A_FORMULA) else text
