"""One command from its claim to its report."""

import logging
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from coordinator_client.agent.work import (
    NOTHING,
    Interruption,
    Outcome,
    Work,
    exited,
    released,
)
from coordinator_client.backoff import Backoff
from coordinator_client.clients import Coordinator
from coordinator_client.errors import (
    CoordinatorError,
    Refused,
    TooManyRequests,
    Unavailable,
    Unreachable,
)
from coordinator_client.runner import artifacts, command, environment, sources
from coordinator_client.runner.command import CREDENTIAL, BadCommand, Command
from coordinator_client.runner.executors import Execution, Executor, Order, ProcessExecution
from coordinator_client.runner.log import LogStream
from coordinator_client.runner.masking import Masker
from coordinator_client.runner.processes import Process
from coordinator_client.runner.pump import Pump
from coordinator_client.runner.workspace import Workspace
from coordinator_client.values import Object

logger = logging.getLogger(__name__)
T = TypeVar("T")
POLL = 0.1
AFTER_KILL = 10.0
OUTPUT_SECONDS = 10.0
RESERVE = 1800.0  # seconds for the files and the rest of the log, after the command has ended


class Ended(Exception):
    """The command must not go on; `Run.ending` says why."""


class Run:
    """Runs a command in a workspace, by an executor, under a mark that all its processes have."""

    def __init__(
        self,
        work: Work,
        client: Coordinator,
        executor: Executor,
        workspace: Workspace,
        mark: str,
        queue: str = "",
    ) -> None:
        self.work = work
        self.client = client
        self.executor = executor
        self.workspace = workspace
        self.mark = mark
        self.queue = queue
        self.token = work.task.lease_token
        self.masker = Masker()
        self.credential = ""  # of the source's URL
        self.ending = ""  # cancelled, timeout, stop or lost; why it was ended
        self.commit = ""
        self.exit_code: int | None = None
        self.deadline = time.monotonic() + command.DEFAULT_TIMEOUT
        self.grace = float(command.DEFAULT_GRACE)
        self.log: dict[str, LogStream] = {}

    def run(self, notes: Sequence[str] = ()) -> Outcome:
        """Run it and send its log and files; what to report."""
        try:
            error = self.attempt(notes)
            self.send_artifacts()
        finally:
            self.finish_log()
        return self.outcome(error)

    def attempt(self, notes: Sequence[str]) -> str:
        """What went wrong, if anything did."""
        try:
            found = command.read(self.work.payload)
            self.deadline = time.monotonic() + found.timeout_seconds
            self.grace = found.grace_seconds
            secrets = self.secrets(found)
            self.open_log()
            for note in notes:
                self.note(note)
            self.carry_out(found, secrets)
        except Ended:
            return ""
        except BadCommand as error:
            return self.masker.mask(str(error))
        except (CoordinatorError, OSError) as error:
            logger.warning("Task %s cannot run: %s", self.work.task.id, error)
            return self.masker.mask(f"the runner could not run it: {error}")
        return ""

    def secrets(self, found: Command) -> dict[str, str]:
        """Their values, known to the masker before anything is written."""
        names = found.secret_names
        self.masker.add(found.environment[name] for name in names if name in found.environment)
        if not names:
            return {}
        task_id, epoch = self.work.lease
        values = self.patiently(
            lambda: self.client.task_secrets(
                task_id, agent_id=self.work.agent_id, lease_epoch=epoch, token=self.token
            )
        )
        self.masker.add(values.values())
        self.credential = values.pop(CREDENTIAL, "")
        return {name: command.value_of(name, value) for name, value in values.items()}

    def carry_out(self, found: Command, secrets: dict[str, str]) -> None:
        code_dir = self.workspace.folder(found.code_dir)
        self.check_out(found, code_dir)
        job_dir = self.workspace.folder(found.job_dir)
        variables = environment.from_file(self.workspace, found.environment_file)
        variables |= found.environment | secrets | self.own_variables(found)
        order = Order(
            command=found.command,
            image=found.image,
            workspace=self.workspace,
            code_dir=code_dir,
            job_dir=job_dir,
            variables=variables,
            mark=self.mark,
        )
        execution = self.executor.start(order)
        process = execution.process
        outputs = [(process.stdout, "stdout"), (process.stderr, "stderr")]
        code = self.supervise(execution, [self.pump(out, self.log[name]) for out, name in outputs])
        if not execution.never_ran:
            self.exit_code = code
        elif not self.ending:
            raise BadCommand(f"the container could not be started (exit code {code})")

    def own_variables(self, found: Command) -> dict[str, str]:
        return {
            "COORDINATOR_JOB_ID": found.job_id,
            "COORDINATOR_TASK_ID": self.work.task.id,
            "REACTORCIDE_JOB_ID": found.job_id,
            "REACTORCIDE_QUEUE": found.queue_name or self.queue,
        }

    def check_out(self, found: Command, folder: Path) -> None:
        source = found.source
        if source.type == "copy":
            self.note(f"copying {source.path}")
            sources.copy(sources.allowed(source.path), folder, self.may_go_on)
        elif source.type == "git":
            sources.check_ref(source.ref)
            remote = sources.remote(source.url, self.credential)
            self.masker.add(remote.secrets)
            self.note(f"fetching {source.ref or 'the default branch'} of {remote.url}")
            self.commit = sources.Checkout(self.git, folder, remote, source.ref).run()
            self.note(f"at commit {self.commit}")

    def git(self, arguments: Sequence[str], variables: dict[str, str], shown: bool) -> sources.Said:
        """Run git as the runner, under the same limits as the command."""
        process = Process(
            arguments,
            environment=environment.for_checkout() | variables,
            folder=self.workspace.temporary,
            mark=self.mark,
        )
        out = self.pump(process.stdout, self.log["stderr"] if shown else None)
        err = self.pump(process.stderr, self.log["stderr"])
        code = self.supervise(ProcessExecution(process), [out, err])
        if self.ending:
            raise Ended
        return sources.Said(code, out.tail, err.tail)

    def pump(self, descriptor: int, log: LogStream | None) -> Pump:
        return Pump(descriptor, log, self.masker)

    def supervise(self, execution: Execution, pumps: Sequence[Pump]) -> int:
        """Wait for its end; end it when its time is over or somebody asks. Gives its exit code."""
        kill_at, killed_at, told = 0.0, 0.0, False
        try:
            while (code := execution.wait(POLL)) is None:
                now = time.monotonic()
                if not self.why_end():
                    continue
                if not told:
                    told, kill_at = True, now + self.grace
                    if not self.at_once():
                        execution.terminate()
                if not killed_at and (now >= kill_at or self.at_once()):
                    killed_at = now
                    execution.kill()
                elif killed_at and now > killed_at + AFTER_KILL:
                    return 128 + signal.SIGKILL  # what cannot be killed is not waited for
            return code
        finally:
            execution.close()
            for pump in pumps:
                pump.join(OUTPUT_SECONDS)

    def why_end(self) -> str:
        """Set at the first reason; only a lost lease comes before one that was there."""
        interruption = self.work.interruption
        if interruption == Interruption.LOST:
            self.ending = "lost"
        elif not self.ending:
            if interruption == Interruption.CANCEL:
                self.ending = "cancelled"
            elif interruption in (Interruption.STOP, Interruption.KILL):
                self.ending = "stop"
            elif time.monotonic() >= self.deadline:
                self.ending = "timeout"
        return self.ending

    def may_go_on(self) -> None:
        if self.why_end():
            raise Ended

    def at_once(self) -> bool:
        return self.work.interruption >= Interruption.KILL

    @property
    def lost(self) -> bool:
        return self.work.interruption == Interruption.LOST

    def lease(self) -> Object:
        task_id, epoch = self.work.lease
        return {"task_id": task_id, "agent_id": self.work.agent_id, "lease_epoch": epoch}

    def open_log(self) -> None:
        for name in ("stdout", "stderr"):
            spool = self.workspace.top / f"{name}.spool"
            self.log[name] = LogStream(self.client, self.lease(), self.token, name, spool)

    def note(self, text: str) -> None:
        """Say something in the command's log."""
        self.log["stderr"].write([self.masker.mask(f"[runner] {text}")])

    def finish_log(self) -> None:
        end = time.monotonic() + RESERVE
        for stream in self.log.values():
            stream.finish(lambda: self.at_once() or time.monotonic() > end)

    def send_artifacts(self) -> None:
        """Upload what the command has left; what cannot be is named in the log."""
        if self.lost or not self.log:
            return
        for found in artifacts.find(self.workspace.artifacts):
            if self.at_once():
                return
            problem = found.problem or self.send_artifact(found)
            if problem:
                self.note(f"artifact {found.name} is not kept: {problem}")

    def send_artifact(self, found: artifacts.Found) -> str:
        task_id, epoch = self.work.lease
        try:
            sha256 = artifacts.digest(found.path)
            self.patiently(
                lambda: self.client.send_artifact(
                    task_id,
                    found.name,
                    found.path,
                    size=found.size,
                    sha256=sha256,
                    agent_id=self.work.agent_id,
                    lease_epoch=epoch,
                    token=self.token,
                )
            )
        except (Refused, OSError) as error:
            return str(error)
        except Ended:
            return "the runner had to end"
        return ""

    def patiently(self, request: Callable[[], T]) -> T:
        """Ask until the coordinator answers, or the runner has to end at once."""
        backoff = Backoff(5)
        while True:
            try:
                return request()
            except (Unreachable, Unavailable, TooManyRequests) as error:
                if self.work.wait(backoff.next(error), self.at_once):
                    self.why_end()
                    raise Ended from error

    def outcome(self, error: str) -> Outcome:
        if self.lost:
            return NOTHING
        if self.ending == "stop":
            return released("the runner stops")
        status = self.ending or ("completed" if self.exit_code == 0 and not error else "failed")
        return exited(
            status,
            self.exit_code,
            error=error or self.said(status),
            commit_sha=self.commit,
            token=self.token,
        )

    def said(self, status: str) -> str:
        if status == "timeout":
            return "it took longer than its timeout"
        if status == "failed":
            return f"the command ended with exit code {self.exit_code}"
        return ""
