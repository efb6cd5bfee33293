"""Ask the search what is known to be somewhere, and report how often it is found."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from search import evaluation, finding, indexing, reports
from search.models import Kind

QUERIES = Path("tests/search/queries.json")
REPORTS = Path("reports/search")


class Command(BaseCommand):
    help = (
        "Index this project, ask the queries, write reports; exit code 1 if too few are answered."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queries", type=Path, default=settings.BASE_DIR / QUERIES)
        parser.add_argument("--reports", type=Path, default=settings.BASE_DIR / REPORTS)
        parser.add_argument(
            "--held-out", action="store_true", help="only the queries that nothing was chosen by"
        )
        parser.add_argument(
            "--as-it-is", action="store_true", help="do not bring the index up to date before"
        )

    def handle(self, **options: Any) -> None:
        try:
            queries = evaluation.read(options["queries"])
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise CommandError(f"{options['queries']} has no queries: {problem!r}") from None
        if not options["as_it_is"]:
            indexing.all_at_once()
        if options["held_out"]:
            queries = [query for query in queries if query.held_out]
        now = timezone.now()
        embedder, dim = finding.present()
        made = []
        for kind in Kind:
            outcomes = [evaluation.ask(query) for query in queries if query.kind == kind]
            report = reports.made(kind, outcomes, embedder, dim, now)
            made.append(report)
            self._say(report)
        reports.write(options["reports"], made, now)
        if not all(report["passed"] for report in made):
            raise CommandError("Too few queries were answered.")

    def _say(self, report: Any) -> None:
        rows = {"all": report["metrics"], **report["halves"], **report["languages"]}
        for name, found in rows.items():
            if found["hit@3"] is not None:
                shown = (f"{key} {found[key]:.3f}" for key in ("hit@1", "hit@3", "hit@8", "mrr"))
                self.stdout.write(f"{report['type']:4} {name:8} {'  '.join(shown)}")
        needed = report["thresholds"]["hit@3"]
        verdict = "enough" if report["passed"] else "too few"
        self.stdout.write(f"{report['type']:4} {verdict}: hit@3 must be {needed:.2f} or more.")
