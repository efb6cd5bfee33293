"""The demonstration in a process of its own, as a person runs it."""

import re
from contextlib import contextmanager

import psutil

from tests.coordinator_project.running import Program, eventually, gone, surroundings


class Demo(Program):
    """One `python -m benchmarks.demo`."""

    def __init__(self, *arguments, **more):
        super().__init__("-m", "benchmarks.demo", *arguments, env=surroundings() | more)

    def wait_for(self, pattern, within=60.0):
        """Wait until it says something like `pattern`; returns the match."""
        eventually(
            lambda: re.search(pattern, self.output) or self.process.poll() is not None, within
        )
        found = re.search(pattern, self.output)
        assert found, self.output
        return found

    def done(self):
        """Which part of the tasks is done, from 0 to 1."""
        told = re.findall(r"(\d+) of (\d+) tasks done", self.output)
        return int(told[-1][0]) / int(told[-1][1]) if told else 0.0

    def wait_until_done(self, part):
        """Wait until `part` of the tasks are done, and not all."""
        eventually(lambda: self.done() >= part or self.process.poll() is not None, 60.0)
        assert part <= self.done() < 1, self.output

    def agents(self):
        """The processes that work for it."""
        return [
            child
            for child in psutil.Process(self.process.pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        ]

    def end(self, within=90.0):
        code = self.process.wait(within)
        self.reader.join(5)
        return code

    def row(self, name):
        """What the table at the end says of `name`."""
        found = re.search(rf"│ {re.escape(name)}[^│]*│ (.*?) *│", self.output)
        assert found, self.output
        return found[1]


@contextmanager
def demonstration(*arguments, **more):
    one = Demo(*arguments, **more)
    try:
        yield one
    finally:
        alive = one.process.poll() is None
        family = psutil.Process(one.process.pid).children(recursive=True) if alive else []
        one.process.terminate()
        one.end(within=40)
        assert gone(family, within=10)
