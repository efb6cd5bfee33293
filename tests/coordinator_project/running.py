"""A coordinator in its own processes, as a person runs it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import httpx
import psutil

from coordinator_project.env import BASE_DIR

PATIENCE = 60.0
"""Seconds for what comes at once; machines that do much else at a time are many times slower."""

NOT_OURS = ("COORDINATOR_", "ORHESTRA_", "DATABASE_URL", "DB_URI", "PORT", "DJANGO_")


def eventually(condition, within=PATIENCE):
    """Wait until `condition()` is true and return its result; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"{condition} did not come true within {within} s"
        time.sleep(0.02)


def surroundings():
    """The environment without the settings of a coordinator."""
    return {k: v for k, v in os.environ.items() if not k.startswith(NOT_OURS)}


def environment(folder, **more):
    ours = {"COORDINATOR_DATA_DIR": str(folder), "COORDINATOR_PORT": "0"}
    # Indexing the project takes the processor from what is tested.
    ours |= {"COORDINATOR_PROCESSES": "2", "COORDINATOR_SEARCH_ROOTS": "off"}
    return surroundings() | ours | more


class Program:
    """A Python program in its own process, and its output so far."""

    def __init__(self, *arguments, env):
        self.lines = []
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=BASE_DIR,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with self.process.stdout as stdout:
            self.lines.extend(stdout)

    @property
    def output(self):
        return "".join(self.lines)


class Running(Program):
    """One `manage.py serve`."""

    def __init__(self, folder, **more):
        super().__init__("manage.py", "serve", env=environment(folder, **more))

    def ready(self, within=90.0):
        eventually(lambda: "serves http" in self.output or self.process.poll() is not None, within)
        found = re.search(r"serves (http://\S+)", self.output)
        assert found, self.output
        self.url = found[1]
        return self

    def family(self):
        """All its descendant processes."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def get(self, path):
        return httpx.get(self.url + path, timeout=PATIENCE)

    def end(self, number=signal.SIGTERM, within=PATIENCE):
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(within)
        self.reader.join(PATIENCE)
        return code


@contextmanager
def running(folder, **more):
    one = Running(folder, **more)
    try:
        yield one
    finally:
        family = one.family() if one.process.poll() is None else []
        try:
            one.end()
        finally:
            for process in psutil.wait_procs(family, 5)[1]:
                process.kill()


def ask_each(processes, question):
    """The answers to `question` from those processes that still exist."""
    answers = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            answers.append(question(process))
    return answers


def gone(processes, within=PATIENCE):
    """Whether all of these end within the given time."""
    return not psutil.wait_procs(processes, within)[1]


def postgres_of(coordinator):
    return [p for p in family_of(coordinator) if name_of(p) == "postgres"]


def family_of(coordinator):
    try:
        return coordinator.family()
    except psutil.NoSuchProcess:
        return []


def name_of(process):
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def workers(coordinator):
    """The processes that were forked, not the supervisor of the database."""
    children = psutil.Process(coordinator.process.pid).children()
    return [p for p, ours in ask_each(children, lambda p: (p, "serve" in p.cmdline())) if ours]


def address(coordinator):
    host, _, port = coordinator.url.removeprefix("http://").partition(":")
    return host, int(port)


def status(coordinator, path):
    try:
        return coordinator.get(path).status_code
    except httpx.HTTPError:
        return 0


def answers(coordinator):
    return status(coordinator, "/health") == 200


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
