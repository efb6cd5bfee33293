"""What commands print: tables for people, JSON for programs; and how they end."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coordinator_client import errors
from coordinator_client.models import Page, Shown, Why
from coordinator_client.values import JSON, Object

FAILED, USAGE, NOT_FOUND, REFUSED, UNREACHABLE = 1, 2, 3, 4, 5
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Limit = Annotated[int, typer.Option(min=1, max=500, help="How many at most.")]
Cursor = Annotated[str | None, typer.Option(help="Where the page before ended.")]
LONGEST_CELL = 64
WIDEST = 10_000  # characters; the terminal breaks lines, so that ids stay whole
FRACTION = re.compile(r"(?<=\d\d:\d\d:\d\d)\.\d+(?=Z$)")
S = TypeVar("S", bound=Shown)


def exit_code(error: errors.CoordinatorError) -> int:
    if isinstance(error, errors.Misconfigured):
        return USAGE
    if isinstance(error, errors.NotFound):
        return NOT_FOUND
    if isinstance(error, errors.Unreachable | errors.Unavailable | errors.BadAnswer):
        return UNREACHABLE
    if isinstance(error, errors.TooManyRequests):
        return UNREACHABLE
    return REFUSED


def complain(message: str) -> None:
    sys.stderr.write(f"error: {printable(message)}\n")


def note(message: str) -> None:
    """For people who watch; programs read what is on the standard output."""
    sys.stderr.write(f"{printable(message)}\n")
    sys.stderr.flush()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def print_json(value: JSON) -> None:
    say(json.dumps(value, ensure_ascii=False, indent=2))


def show(found: Shown, as_json: bool, names: Sequence[str]) -> None:
    """One thing: its members with these names, as they are in the answer."""
    if as_json:
        print_json(found.raw)
        return
    width = max(map(len, names))
    for name in names:
        if (value := found.raw.get(name)) not in (None, "", [], {}):
            say(f"{name.ljust(width)}  {cell(value)}")


def show_page(page: Page[S], as_json: bool, columns: Sequence[str], name: str) -> None:
    """A list: a table with these columns."""
    rows = [item.raw for item in page.items]
    if as_json:
        listed: list[JSON] = [*rows]
        more: Object = {"next_cursor": page.next_cursor} if page.next_cursor else {}
        print_json({name: listed, **more})
        return
    table(rows, columns)
    if page.next_cursor:
        sys.stderr.write(f"There are more: --cursor {page.next_cursor}\n")


def show_why(found: Why, as_json: bool) -> None:
    """Why a task does not run, and what helps."""
    if as_json:
        print_json(found.raw)
        return
    say(found.status)
    for line in reasons(found):
        say(f"- {line}")


def reasons(found: Why) -> list[str]:
    return [f"{cell(reason.text)} {cell(reason.remedy)}".rstrip() for reason in found.why]


def table(rows: Sequence[Mapping[str, JSON]], columns: Sequence[str]) -> None:
    Console(highlight=False, markup=False, width=WIDEST).print(table_of(rows, columns))


def table_of(rows: Sequence[Mapping[str, JSON]], columns: Sequence[str], title: str = "") -> Table:
    found = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        found.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        found.add_row(*(Text(shortened(cell(row.get(column)))) for column in columns))
    return found


def shortened(text: str) -> str:
    line = FRACTION.sub("", text.partition("\n")[0])
    return line if len(line) <= LONGEST_CELL else f"{line[: LONGEST_CELL - 1]}…"


def cell(value: JSON) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return printable(value)
    return printable(json.dumps(value, ensure_ascii=False))


def printable(text: str) -> str:
    """What comes from elsewhere must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
