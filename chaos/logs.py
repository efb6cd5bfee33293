"""The coordinators' own logs: no traceback, and how often each error was said."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

ID = re.compile(r"(job-)?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
TRACEBACK = "Traceback (most recent call last)"


def tracebacks(paths: Iterable[Path]) -> Counter[str]:
    """How often each kind of exception has a traceback, by its last line."""
    return Counter(last for path in paths for last in _tracebacks(path))


def _tracebacks(path: Path) -> Iterator[str]:
    lines = iter(path.read_text(errors="replace").splitlines())
    for line in lines:
        if TRACEBACK not in line:
            continue
        entry = _entry(line)
        if entry:
            text = next(str(value) for value in entry.values() if TRACEBACK in str(value))
            yield f"{entry.get('event')}: {text.strip().splitlines()[-1][:160]}"
        else:
            # Its own lines are indented; the first that is not says what happened.
            yield next((rest[:160] for rest in lines if rest and not rest.startswith(" ")), line)


def errors(paths: Iterable[Path]) -> Counter[str]:
    """How often each line of the level error was said."""
    entries = (
        _entry(line) for path in paths for line in path.read_text(errors="replace").splitlines()
    )
    said = (str(entry["event"]) for entry in entries if entry.get("level") == "error")
    return Counter(ID.sub("…", event) for event in said)


def _entry(line: str) -> dict[str, object]:
    if not line.startswith("{"):
        return {}
    try:
        found: dict[str, object] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return found
