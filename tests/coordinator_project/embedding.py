"""Processes that use an embedded PostgreSQL, and what can be asked of it."""

import subprocess
import sys

import psutil
import psycopg

from coordinator_project.env import BASE_DIR

# Uses the database of a folder until its standard input ends.
USER = """
import sys
from pathlib import Path
from coordinator_project import embedded
with embedded.database(Path(sys.argv[1])) as database:
    print(database.url, flush=True)
    sys.stdin.read()
"""


def use(folder, python=sys.executable, **more):
    process = start_to_use(folder, python, **more)
    process.url = process.stdout.readline().strip()
    return process


def start_to_use(folder, python=sys.executable, **more):
    return subprocess.Popen(
        [python, "-c", USER, str(folder)],
        cwd=BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **more,
    )


def let_go(process, number=None):
    if number:
        process.send_signal(number)
    process.communicate(timeout=20)


def postmaster(folder):
    return psutil.Process(int((folder / "postgres/data/postmaster.pid").read_text().split()[0]))


def ask(url, question="SELECT 1"):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(question).fetchone()[0]


def answers(url):
    try:
        return ask(url) == 1
    except psycopg.OperationalError:
        return False
