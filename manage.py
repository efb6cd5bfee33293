#!/usr/bin/env python
"""Runs the coordinator's commands, with the embedded PostgreSQL where no database is named."""

import gc
import math
import os
import signal
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import Error

from coordinator_project import embedded, env
from coordinator_project.cluster import EmbeddedFailed
from problems.database import sentence_for_operators

# Much is made at the start, and nearly all of it stays: to look through it again and again for what
# can be given back takes a fifth of the start.
MADE_BEFORE_A_LOOK = 50_000
# These have nothing to ask a database.
WITHOUT_DATABASE = {
    "",
    "help",
    "version",
    "check",
    "startapp",
    "startproject",
    "simulate_spots",
    "openapi",
    "spectacular",
}


def main(arguments: list[str]) -> None:
    """Run one command; a server that runs on this data folder is used, else one is started."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coordinator_project.settings")
    command = next((word for word in arguments[1:] if not word.startswith("-")), "")
    asks_for_help = not {"--help", "-h", "--version"}.isdisjoint(arguments)
    if command == "serve":
        # prometheus-client reads it once, when it is loaded.
        os.environ[env.METRICS_FOLDER] = str(env.data_dir() / "metrics")
    try:
        if command in WITHOUT_DATABASE or asks_for_help or env.database_url()[1]:
            execute_from_command_line(arguments)
            return
        # A start after a crash goes through the log, however long that takes.
        patience = math.inf if command == "serve" else embedded.PATIENCE
        with embedded.database(env.data_dir(), patience=patience) as database:
            os.environ[env.EMBEDDED] = database.url
            execute_from_command_line(arguments)
    except (EmbeddedFailed, ImproperlyConfigured) as problem:
        sys.exit(str(problem))
    except Error as failure:
        sentence = sentence_for_operators(failure)
        if sentence is None:
            raise
        sys.exit(sentence)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    gc.set_threshold(MADE_BEFORE_A_LOOK)
    main(sys.argv)
