"""The index of a large tree: how long it takes, how large it is, and what a search takes then."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import psycopg

from benchmarks import machine
from benchmarks.coordinator import OURS, Coordinator
from benchmarks.results import Finding, Section, finding_heads, percentile
from benchmarks.run import Run

WORDS, SYLLABLES = 20_000, [a + b for a in "bcdfghklmnprstvz" for b in "aeiou"]
CHANGED = 50  # files between two looks
MINUTES, DELTA, MILLISECONDS = 15, 120, 50  # the targets
SIZE = """
SELECT (SELECT count(*) FROM search_chunk), pg_total_relation_size('search_chunk')
  + pg_total_relation_size('search_file') + pg_total_relation_size('search_term')"""


class Text:
    """Words that are as rare and as common as those of a language; the same in every run."""

    def __init__(self) -> None:
        self.random = random.Random(1)  # noqa: S311 (not for secrets)
        self.words = [self._word() for _ in range(WORDS)]
        self.pool = self.random.choices(
            self.words, [1 / (place + 10) for place in range(WORDS)], k=400_000
        )

    def _word(self) -> str:
        return "".join(self.random.choice(SYLLABLES) for _ in range(self.random.randint(2, 4)))

    def some(self, count: int) -> list[str]:
        start = self.random.randrange(len(self.pool) - count)
        return self.pool[start : start + count]

    def document(self) -> str:
        parts = [f"# {' '.join(self.some(3))}\n"]
        parts += [f"## {' '.join(self.some(2))}\n\n{' '.join(self.some(60))}.\n" for _ in range(3)]
        return "\n".join(parts)

    def module(self) -> str:
        parts = [f'"""{" ".join(self.some(8))}."""\n\nimport os\n']
        for _ in range(3):
            name, also, first, second, *says = self.some(16)
            parts.append(
                f'\ndef {name}_{also}({first}, {second}):\n    """{" ".join(says)}."""\n'
                f"    return {says[0]}({first}).{says[1]}({second})\n"
            )
        name, inner = self.some(2)
        parts.append(
            f'\nclass {name.capitalize()}:\n    """{" ".join(self.some(6))}."""\n\n'
            f"    def {inner}(self):\n        return self.{inner}\n"
        )
        return "\n".join(parts)


def write(folder: Path, count: int) -> Text:
    """So many files, a tenth of them documents, in 200 folders."""
    text = Text()
    for number in range(count):
        place = folder / f"part-{number % 200}"
        place.mkdir(parents=True, exist_ok=True)
        if number % 10:
            (place / f"module_{number}.py").write_text(text.module())
        else:
            (place / f"document-{number}.md").write_text(text.document())
    return text


def measure(run: Run) -> list[Section]:
    """A tree is indexed, then some of its files have changed, then it is searched."""
    count = 200 if run.quick else run.searched_files
    tree = run.folder / "searched"
    text = write(tree, count)
    with run.coordinator("search") as (coordinator, db):
        first = _index(run, coordinator, tree)
        nothing = _index(run, coordinator, tree)
        for path in sorted(tree.rglob("*.py"))[:CHANGED]:
            path.write_text(text.module())
        delta = _index(run, coordinator, tree)
        row = db.execute(SIZE).fetchone() or (0, 0)
        findings = [
            _time("all of it", first, MINUTES * 60),
            Finding("- pieces", f"{row[0]:,}"),
            Finding("- most memory of the indexer", f"{first[1]:.0f} MiB"),
            Finding("- size in the database", f"{row[1] / 1024**2:.0f} MiB"),
            _time("a look that finds nothing new", nothing),
            _time(f"{CHANGED} files have changed", delta, DELTA),
            *_searches(run, coordinator, db, text),
        ]
    return [Section(finding_heads(f"an index of {count:,} files"), findings)]


def _index(run: Run, coordinator: Coordinator, tree: Path) -> tuple[float, float]:
    """Bring the index up to date in a process of its own; seconds, and its memory in MiB."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment |= {
        "COORDINATOR_DATA_DIR": str(run.folder / "indexer"),
        "COORDINATOR_DATABASE_URL": coordinator.url,
        "COORDINATOR_SEARCH_ROOTS": str(tree),
    }
    command = [sys.executable, str(run.product / "manage.py"), "search_index"]
    started, peak = time.monotonic(), 0.0
    with subprocess.Popen(  # noqa: S603
        command, cwd=run.product, env=environment, stdout=subprocess.DEVNULL
    ) as indexer:
        while indexer.poll() is None:
            peak = max(peak, machine.peak_megabytes(indexer.pid))
            time.sleep(0.05)
    if indexer.returncode:
        raise subprocess.CalledProcessError(indexer.returncode, command)
    return time.monotonic() - started, peak


def _time(name: str, taken: tuple[float, float], most: float = 0.0) -> Finding:
    target = f"≤ {most:.0f} s" if most else ""
    return Finding(name, f"{taken[0]:.1f} s", target, bool(most) and taken[0] > most)


def _searches(
    run: Run, coordinator: Coordinator, db: psycopg.Connection, text: Text
) -> Iterator[Finding]:
    number = 10 if run.quick else 200
    for kind in ("docs", "code"):
        common = _terms(db, kind, "DESC LIMIT 200")
        rare = _terms(db, kind, "ASC OFFSET 2000 LIMIT 4000") or common
        for name, words in (("rare words", rare), ("common words", common), ("some of each", [])):
            queries = [
                text.random.choices(words or rare, k=2) + text.random.choices(words or common, k=2)
                for _ in range(number)
            ]
            times = sorted(_ask(coordinator, kind, query) for query in queries)
            half, most = percentile(times, 0.5), percentile(times, 0.95)
            yield Finding(
                f"search of {kind}, {name}, half / 95 of 100",
                f"{half:.0f} / {most:.0f} ms",
                f"< {MILLISECONDS} ms" if name == "some of each" else "",
                name == "some of each" and half >= MILLISECONDS,
            )


def _terms(db: psycopg.Connection, kind: str, order: str) -> list[str]:
    rows = db.execute(
        "SELECT lexeme FROM search_term WHERE kind = %s AND lexeme <> '' AND chunks > 0"  # noqa: S608
        f" ORDER BY chunks {order}",
        [kind],
    )
    return [lexeme for (lexeme,) in rows]


def _ask(coordinator: Coordinator, kind: str, words: Sequence[str]) -> float:
    started = time.perf_counter()
    coordinator.get(f"/api/search/{kind}?{urlencode({'q': ' '.join(words)})}")
    return (time.perf_counter() - started) * 1000
