"""A program that runs a maintenance loop of one pass, which makes channels named after it."""

import os
import sys
import time
from datetime import timedelta
from itertools import count

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coordinator_project.settings")
django.setup()

from django.db import transaction  # noqa: E402

from coordinator_project import lifeline, maintenance  # noqa: E402
from tasks import transitions  # noqa: E402


def main(name: str, seconds: float) -> None:
    numbers = count(1)

    def work() -> int:
        with transaction.atomic():
            transitions.open_channel(f"{name}-{next(numbers)}", by=name)
            time.sleep(seconds)
            transitions.open_channel(f"{name}-{next(numbers)}", by=name)
        return 2

    lifeline.watch(os.getppid())
    loop = maintenance.Loop([maintenance.Pass("work", timedelta(seconds=0.1), work)])
    sys.stdout.write("works\n")
    sys.stdout.flush()
    loop.run()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
