"""Reports of the evaluation, in the form of contract 003, 8.3."""

import json
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from search import evaluation
from search.evaluation import AT, THRESHOLDS, Outcome
from search.finding import WITHOUT
from search.models import Chunk, File, Kind, Source

GIT = "/usr/bin/git"


def made(kind: Kind, outcomes: Sequence[Outcome], embedder: str, dim: int, now: datetime) -> Any:
    """The report on the queries of a kind, with those in other languages and each half apart."""
    ours = [one for one in outcomes if one.query.language == "en"]
    others = [one for one in outcomes if one.query.language != "en"]
    found = evaluation.metrics(ours)
    files = File.objects.filter(source=Source.TREE, kind=kind)
    chunks = Chunk.objects.filter(file__source=Source.TREE, kind=kind)
    return {
        "schema": 1,
        "generated_at": now.isoformat(),
        "commit": commit(),
        "type": kind.value,
        "alpha": settings.HYBRID_ALPHA if embedder != WITHOUT else 1.0,
        "embedder": embedder,
        "dim": dim,
        "index": {"files": files.count(), "chunks": chunks.count()},
        "k": list(AT),
        "thresholds": {"hit@3": THRESHOLDS[kind]},
        "metrics": {**found, **evaluation.times(ours)},
        "halves": {
            name: evaluation.metrics([one for one in ours if one.query.held_out == held_out])
            for name, held_out in (("tuned", False), ("held_out", True))
        },
        "languages": {
            language: evaluation.metrics([one for one in others if one.query.language == language])
            for language in sorted({one.query.language for one in others})
        },
        "passed": evaluation.passes(found, kind),
        "queries": [evaluation.described(one) for one in outcomes],
        "failures": [one.query.id for one in ours if not one.rank or one.rank > 3],
    }


def write(folder: Path, reports: Sequence[Any], now: datetime) -> list[Path]:
    """Write each report by its time, and all together as the latest."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    contents = {f"{stamp}-{report['type']}.json": report for report in reports}
    contents["latest.json"] = {report["type"]: report for report in reports}
    for name, content in contents.items():
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / name).write_text(f"{text}\n")
    return [folder / name for name in contents]


def commit() -> str | None:
    """The commit of the project, where it is a checkout and git is there."""
    try:
        asked = [GIT, "-C", str(settings.BASE_DIR), "rev-parse", "HEAD"]
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
