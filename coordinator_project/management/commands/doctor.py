"""`manage.py doctor`: whether all is well, and what helps where it is not."""

import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from api.renderers import dumps
from coordinator_project import doctor
from coordinator_project.doctor.finding import Finding


class Command(BaseCommand):
    help = "Look at database, loop, queues and disks, and say what helps. Exit code 1 for a fault."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", dest="for_programs", action="store_true", help="print one JSON object"
        )

    def handle(self, *, for_programs: bool, **options: Any) -> None:
        findings = list(doctor.examine())
        well = all(finding.ok for finding in findings)
        if for_programs:
            shown = [{**asdict(finding), "ok": finding.ok} for finding in findings]
            self.stdout.write(dumps({"ok": well, "findings": shown}).decode().rstrip())
        else:
            for finding in findings:
                self._say(finding)
        if not well:
            sys.exit(1)

    def _say(self, finding: Finding) -> None:
        mark = "note" if finding.note else "ok" if finding.ok else "WRONG"
        self.stdout.write(f"{mark:5}  {finding.name}: {finding.message}")
        if finding.remedy:
            self.stdout.write(f"       {finding.remedy}")
