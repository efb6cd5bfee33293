"""A program as the handler of an agent: the payload goes in, what it prints last comes out."""

import json
import os
import sys
import tempfile
import threading
import uuid
from pathlib import Path

from coordinator_client.agent.work import (
    Interruption,
    Outcome,
    Work,
    done,
    failed,
    interrupted,
)
from coordinator_client.runner import environment
from coordinator_client.runner.processes import Process
from coordinator_client.values import JSON, encode

KEPT = 128 * 1024  # of what it prints, the end
LARGEST_VARIABLE = 100 * 1024  # the system's limit is a little higher
REASON = 4000
POLL = 0.1


class Program:
    """Runs a shell command for each task, as this user and in this folder.

    The payload is its standard input, and COORDINATOR_PAYLOAD unless it is too large for that. The
    last line of its output is the result if that is JSON, else all of it is, as text.
    """

    def __init__(self, command: str, grace_seconds: float = 10) -> None:
        self.command = command
        self.grace_seconds = grace_seconds

    def __call__(self, work: Work) -> Outcome:
        payload = encode(work.payload)
        with tempfile.TemporaryFile() as stdin:
            stdin.write(payload)
            stdin.seek(0)
            process = Process(
                ["sh", "-c", self.command],
                environment=environment.without_credentials() | variables(work, payload),
                folder=Path.cwd(),
                mark=str(uuid.uuid4()),
                stdin=stdin,
            )
        output, errors = Tail(process.stdout), Tail(process.stderr, shown=True)
        try:
            code = self.wait(process, work)
        finally:
            process.close()
            output.join()
            errors.join()
        if work.interrupted:
            return interrupted(work)
        if code == 0:
            return done(result(output.text))
        said = errors.text.strip()[-REASON:]
        return failed(f"exit code {code}{': ' if said else ''}{said}", retriable=True)

    def wait(self, process: Process, work: Work) -> int:
        waited = 0.0
        while (code := process.wait(POLL)) is None:
            if not work.interrupted:
                continue
            if waited == 0:
                process.terminate()
            waited += POLL
            if waited > self.grace_seconds or work.interruption >= Interruption.KILL:
                process.kill()
        return code


class Tail:
    """Reads all and keeps the end; may pass it on to this process's own errors."""

    def __init__(self, descriptor: int, *, shown: bool = False) -> None:
        self.kept = b""
        self.thread = threading.Thread(target=self.run, args=[descriptor, shown], daemon=True)
        self.thread.start()

    def run(self, descriptor: int, shown: bool) -> None:
        with open(descriptor, "rb", buffering=0) as file:
            while chunk := file.read(KEPT):
                self.kept = (self.kept + chunk)[-KEPT:]
                if shown:
                    sys.stderr.write(chunk.decode(errors="replace"))

    def join(self) -> None:
        self.thread.join(5)

    @property
    def text(self) -> str:
        return self.kept.decode(errors="replace").replace("\0", "␀")


def variables(work: Work, payload: bytes) -> dict[str, str]:
    found = {"COORDINATOR_TASK_ID": work.task.id, "COORDINATOR_TASK_TYPE": work.task.type}
    if len(payload) <= LARGEST_VARIABLE and b"\0" not in payload:
        found["COORDINATOR_PAYLOAD"] = os.fsdecode(payload)
    return found


def result(output: str) -> JSON:
    lines = output.strip().splitlines()
    try:
        last: JSON = json.loads(lines[-1]) if lines else None
    except ValueError:
        return output.strip()
    return last
