"""`manage.py simulate_spots`: try the coordinator with simulated SPOTs."""

import argparse
import re
import signal
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from spots.simulator import CoordinatorUnreachable, Play, RequestRefused, Simulation

MOST = 200
LONGEST = 10**9  # seconds, as for the settings


class Command(BaseCommand):
    help = (
        "Let SPOTs named sim-1, sim-2, … claim tasks of a running coordinator over HTTP, wait a "
        "while and report random results. They take all queued tasks: not for real work. "
        "Ctrl-C gives back the tasks that they hold."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--count", type=_count, default=20, help=f"how many SPOTs, at most {MOST} (20)")
        add(
            "--delay",
            type=_delay,
            default="200-1200",
            metavar="MS-MS",
            help="how many milliseconds a task takes, between two bounds (200-1200)",
        )
        add("--fail-rate", type=_share, default=0.0, help="the share of tasks that fail, 0 to 1")
        add("--url", default="", help="the coordinator (the one of these settings)")
        add("--key", default="", help="the agent key (safer: ORHESTRA_AGENT_KEY)")
        end = parser.add_mutually_exclusive_group()
        end.add_argument("--seconds", type=_seconds, help="stop after so many seconds")
        end.add_argument(
            "--until-empty", action="store_true", help="stop when no SPOT finds a task"
        )

    def handle(self, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
        url = options["url"] or own_url()
        shortest, longest = options["delay"]
        headers = credentials(options["key"])
        play = Play(url, headers, shortest, longest, options["fail_rate"])
        simulation = Simulation(play, options["count"])
        try:
            tally, took = simulation.run(
                self._say, seconds=options["seconds"], until_empty=options["until_empty"]
            )
        except CoordinatorUnreachable as problem:
            raise CommandError(f"No coordinator answers at {url}: {problem}.") from problem
        except RequestRefused as refusal:
            raise CommandError(f"The coordinator at {url} refuses: {refusal}") from refusal
        ended = tally.done + tally.failed
        self._say(f"{tally}, in {took:.1f} s: {ended / took:.1f} tasks a second.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def own_url() -> str:
    """The URL of the coordinator with these settings."""
    if not settings.COORDINATOR_PORT:
        raise CommandError("COORDINATOR_PORT is 0, so the port is not known: give --url.")
    every = settings.COORDINATOR_HOST in settings.EVERY_ADDRESS
    host = "127.0.0.1" if every else settings.OWN_HOST
    return f"http://{host}:{settings.COORDINATOR_PORT}"


def credentials(key: str) -> dict[str, str]:
    """The headers of the agent key, given or from the settings, or else of the token, if any."""
    if key := key or settings.ORHESTRA_AGENT_KEY:
        return {"X-Orhestra-Key": key}
    if settings.COORDINATOR_AUTH_TOKEN:
        return {"Authorization": f"Bearer {settings.COORDINATOR_AUTH_TOKEN}"}
    return {}


def _count(text: str) -> int:
    if not 1 <= (count := int(text)) <= MOST:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {MOST}")
    return count


def _delay(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    bounds = sorted(float(part or found[1]) / 1000 for part in found.groups()) if found else []
    if not bounds or bounds[1] > LONGEST:
        raise argparse.ArgumentTypeError("must be one or two numbers of milliseconds, as 200-1200")
    return bounds[0], bounds[1]


def _seconds(text: str) -> float:
    if not 0 <= (seconds := float(text)) <= LONGEST:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to {LONGEST}")
    return seconds


def _share(text: str) -> float:
    if not 0 <= (share := float(text)) <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return share
