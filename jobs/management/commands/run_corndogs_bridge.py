"""Bring commands from a Corndogs server into our queue, and back what became of them."""

import signal
from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.corndogs.bridge import Bridge
from jobs.corndogs.client import connect
from jobs.corndogs.faces import CorndogsError


class Command(BaseCommand):
    help = (
        "Take commands from the Corndogs server of CORNDOGS_BASE_URL into our queue. A task there "
        "that has no job here is cancelled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--queue",
            metavar="NAME",
            action="append",
            default=[],
            help="only of this queue; repeat it for several. Else all that commands were sent to",
        )
        parser.add_argument("--once", action="store_true", help="take what waits now, then end")

    def handle(self, *, queue: list[str], once: bool, **options: Any) -> None:
        if not settings.CORNDOGS:
            raise CommandError("Set CORNDOGS_BASE_URL to the address of a Corndogs server.")
        with closing(connect(settings.CORNDOGS, settings.CORNDOGS_API_KEY)) as client:
            bridge = Bridge(client, queue)
            if once:
                self._once(bridge)
                return
            signal.signal(signal.SIGTERM, lambda number, frame: bridge.stop.set())
            self._say(f"Takes commands from {', '.join(map(str, settings.CORNDOGS))}")
            bridge.run()

    def _once(self, bridge: Bridge) -> None:
        try:
            taken = bridge.turn()
        except CorndogsError as problem:
            raise CommandError(f"Corndogs does not answer: {problem}") from None
        self._say(f"Let {taken} commands in.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
