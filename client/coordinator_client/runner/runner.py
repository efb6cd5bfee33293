"""`Runner`: an agent that runs commands."""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from coordinator_client.agent import LEASE_SECONDS, Agent, Outcome, Work, failed
from coordinator_client.runner import processes, workspace
from coordinator_client.runner.execution import Run
from coordinator_client.runner.executors import (
    ContainerExecutor,
    Executor,
    Limits,
    ProcessExecutor,
    find_engine,
)
from coordinator_client.runner.workspace import Workspace

logger = logging.getLogger(__name__)
DEFAULT_QUEUE = "reactorcide-jobs"
GRACE_SECONDS = 90  # more than a command's own
NO_ISOLATION = (
    "Commands run as processes of this user: they can read and change all that it can. "
    "Run only those that you trust, or give this runner a machine of its own."
)
IGNORED = "the image {image} is ignored, as this runner was told: the command runs on its machine"


class Runner:
    """Runs the commands of `queues`: in containers where they name an image, else as processes."""

    def __init__(
        self,
        queues: Sequence[str] = (DEFAULT_QUEUE,),
        *,
        url: str | None = None,
        token: str | None = None,
        agent_id: str | None = None,
        concurrency: int = 1,
        labels: Mapping[str, list[str]] | None = None,
        ignore_images: bool = False,
        limits: Limits | None = None,
        lease_seconds: int = LEASE_SECONDS,
        drain_seconds: float = 300,
        heartbeat_seconds: float = 5,
        state_folder: Path | None = None,
    ) -> None:
        engine = None if ignore_images else find_engine()
        self.ignore_images = ignore_images
        self.process = ProcessExecutor()
        self.container = ContainerExecutor(engine, limits) if engine else None
        executors = ["process", "container"] if engine or ignore_images else ["process"]
        self.agent = Agent(
            queues,
            self.handle,
            url=url,
            token=token,
            agent_id=agent_id,
            concurrency=concurrency,
            offers={**(labels or {}), "executor": executors},
            lease_seconds=lease_seconds,
            heartbeat_seconds=min(heartbeat_seconds, lease_seconds / 3),
            drain_seconds=drain_seconds,
            grace_seconds=GRACE_SECONDS,
            state_folder=state_folder,
        )
        self.queue = queues[0] if len(queues) == 1 else ""
        self.workspaces = self.agent.state.subfolder("workspaces")
        own = f"{os.geteuid()} {self.agent.agent_id} {self.agent.state.folder}"
        self.mark = hashlib.sha256(own.encode()).hexdigest()[:32]

    def run(self) -> None:
        """Work until stopped; first end and remove what a runner that was killed has left."""
        logger.warning(NO_ISOLATION)
        logger.info("%s at %s: %s", self.agent.agent_id, self.agent.client.config.url, self.takes())
        self.sweep()
        self.agent.run()

    def takes(self) -> str:
        """Which jobs this runner takes, for who starts it."""
        images = "none that has an image, as neither docker, podman nor nerdctl answers"
        if self.container:
            images = f"images run by {Path(self.container.engine).name}"
        elif self.ignore_images:
            images = "images are ignored"
        queues = ", ".join(self.agent.channels)
        return f"jobs of {queues}, {self.agent.concurrency} at once, {images}"

    def stop(self) -> None:
        self.agent.stop()

    def sweep(self) -> None:
        if killed := processes.sweep(f"{self.mark}/"):
            logger.warning("Killed %d processes that were left", killed)
        if self.container:
            self.container.sweep(f"{self.mark}/")
        for left in workspace.leftovers(self.workspaces):
            logger.warning("Removing the workspace %s that was left", left.name)
            self.remove(left)

    def remove(self, folder: Path) -> None:
        try:
            workspace.remove(folder)
        except OSError as error:
            logger.error("A workspace stays: %s", error)

    def handle(self, work: Work) -> Outcome:
        if work.task.type != "command":
            return failed(f"no command: {work.task.type or 'no type'}", unsupported=True)
        image = work.payload.get("image")
        if image and not self.container and not self.ignore_images:
            return failed("this runner has no containers", unsupported=True)
        place = Workspace(self.workspaces)
        task_id, epoch = work.lease
        mark = f"{self.mark}/{task_id}/{epoch}/"
        run = Run(work, self.agent.client, self.executor(work), place, mark, self.queue)
        try:
            ignored = bool(image) and not self.container
            return run.run([IGNORED.format(image=image)] if ignored else [])
        finally:
            self.remove(place.top)

    def executor(self, work: Work) -> Executor:
        return self.container if work.payload.get("image") and self.container else self.process
