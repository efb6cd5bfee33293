"""How a command is run: as a process of this machine, or in a container."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from coordinator_client.runner import environment
from coordinator_client.runner.command import BadCommand
from coordinator_client.runner.processes import Process
from coordinator_client.runner.workspace import Workspace

ENGINES = ("docker", "podman", "nerdctl")
LABEL = "coordinator.runner"
ARTIFACTS = "/artifacts"
SECONDS = 60
STEERS = re.compile(
    "(DY)?LD_|DOCKER_|CONTAINER|PODMAN_|NERDCTL_|BUILDKIT_|BUILDX_|REGISTRY_|CNI_|NETAVARK_"
    "|PYTHON|GLIBC_|GCONV_|MALLOC_|LOCPATH|NLSPATH|RES_OPTIONS|HOSTALIASES|LOCALDOMAIN|TZDIR|TMPDIR"
    "|GO(DEBUG|TRACEBACK|GC|MEMLIMIT)|SSL_CERT_(FILE|DIR)$|SSH_(AUTH_SOCK|ASKPASS)$"
    "|BASH_|ENV$|IFS$|PATH$|HOME$|XDG_"
    "|(?i:(https?|all|no|ftp)_proxy)"
)
"""Variables by which an engine's client, its libraries or its shell would do something else."""


@dataclass(frozen=True)
class Order:
    """What to run, where, and with which variables of the job."""

    command: str
    image: str
    workspace: Workspace
    code_dir: Path
    job_dir: Path
    variables: Mapping[str, str] = field(repr=False)
    mark: str


class Execution(ABC):
    """A command that runs."""

    process: Process

    def wait(self, seconds: float) -> int | None:
        return self.process.wait(seconds)

    @abstractmethod
    def terminate(self) -> None: ...

    @abstractmethod
    def kill(self) -> None: ...

    def close(self) -> None:
        self.process.close()

    @property
    def never_ran(self) -> bool:
        return False


class Executor(ABC):
    """Starts commands."""

    @abstractmethod
    def start(self, order: Order) -> Execution: ...


class ProcessExecution(Execution):
    def __init__(self, process: Process) -> None:
        self.process = process

    def terminate(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()


class ProcessExecutor(Executor):
    """Runs commands as the runner's own user. That is no isolation."""

    def start(self, order: Order) -> Execution:
        workspace = order.workspace
        places = {
            "HOME": str(workspace.home),
            "TMPDIR": str(workspace.temporary),
            "COORDINATOR_ARTIFACTS": str(workspace.artifacts),
            "CODE_DIR": str(order.code_dir),
            "JOB_DIR": str(order.job_dir),
        }
        return ProcessExecution(
            Process(
                ["sh", "-c", order.command],
                environment={**environment.minimal(), "HOME": places["HOME"], **order.variables}
                | {name: value for name, value in places.items() if name != "HOME"},
                folder=order.job_dir,
                mark=order.mark,
            )
        )


@dataclass(frozen=True)
class Limits:
    """What a container may use."""

    network: str = "bridge"
    memory: str = "2g"
    cpus: str = "2"
    pids: int = 1024


class ContainerExecutor(Executor):
    """Runs commands in containers of docker, podman or nerdctl."""

    def __init__(self, engine: str, limits: Limits | None = None) -> None:
        self.engine = engine
        self.limits = limits or Limits()

    def start(self, order: Order) -> Execution:
        folder = Path(tempfile.mkdtemp(prefix="container-", dir=order.workspace.top))
        name = container_name(order.mark)
        single, several = self.variables(order)
        file = folder / "environment"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={value}\n" for name, value in single.items()))
        arguments = self.arguments(order, name, folder)
        arguments += [f"--env={name}" for name in several]
        process = Process(
            [*arguments, "--entrypoint=sh", order.image, "-c", order.command],
            environment=environment.without_credentials() | several,
            folder=folder,
            mark=order.mark,
        )
        return ContainerExecution(self.engine, name, process, folder / "id")

    def variables(self, order: Order) -> tuple[dict[str, str], dict[str, str]]:
        """Those with one line go by a file, others by the environment of the engine's client."""
        places = {
            "COORDINATOR_ARTIFACTS": ARTIFACTS,
            "CODE_DIR": order.workspace.inner(order.code_dir),
            "JOB_DIR": order.workspace.inner(order.job_dir),
        }
        found = {**order.variables, **places}
        several = {name: value for name, value in found.items() if "\n" in value or "\r" in value}
        # The client of the engine runs on this machine, and so do what its variables make it load.
        own = [name for name in several if name in os.environ or STEERS.match(name)]
        if own:
            raise BadCommand(f"{', '.join(sorted(own))}: this runner's own, only one line is taken")
        return {name: value for name, value in found.items() if name not in several}, several

    def arguments(self, order: Order, name: str, folder: Path) -> list[str]:
        workspace = order.workspace
        return [
            self.engine,
            "run",
            "--rm",
            "--init",
            f"--name={name}",
            f"--cidfile={folder / 'id'}",
            f"--label={LABEL}={order.mark.partition('/')[0]}",
            f"--volume={workspace.job}:/job",
            f"--volume={workspace.artifacts}:{ARTIFACTS}",
            f"--workdir={workspace.inner(order.job_dir)}",
            f"--user={os.getuid()}:{os.getgid()}",
            f"--network={self.limits.network}",
            f"--memory={self.limits.memory}",
            f"--cpus={self.limits.cpus}",
            f"--pids-limit={self.limits.pids}",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            f"--env-file={folder / 'environment'}",
        ]

    def sweep(self, mark: str) -> None:
        """Remove the containers that a runner which was killed has left."""
        own = f"--filter=label={LABEL}={mark.partition('/')[0]}"
        listed = engine(self.engine, ["ps", "--all", "--quiet", own])
        if names := listed.split():
            engine(self.engine, ["rm", "--force", *names])


class ContainerExecution(Execution):
    """A container, and the client of its engine that is attached to it."""

    def __init__(self, engine: str, name: str, process: Process, identity: Path) -> None:
        self.engine = engine
        self.name = name
        self.process = process
        self.identity = identity

    def terminate(self) -> None:
        engine(self.engine, ["kill", "--signal=TERM", self.name])

    def kill(self) -> None:
        engine(self.engine, ["kill", self.name])
        engine(self.engine, ["rm", "--force", self.name])
        self.process.kill()

    def close(self) -> None:
        self.process.close()
        if not self.never_ran:
            engine(self.engine, ["rm", "--force", self.name])

    @property
    def never_ran(self) -> bool:
        """Whether no container was made, as when there is no such image."""
        with suppress(OSError):
            return not self.identity.read_text().strip()
        return True


def engine(program: str, arguments: Sequence[str]) -> str:
    """What the engine says; nothing if it fails, for example as the container has ended."""
    try:
        found = subprocess.run(  # noqa: S603
            [program, *arguments],
            env=environment.without_credentials(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout if found.returncode == 0 else ""


def container_name(mark: str) -> str:
    return f"coordinator-{hashlib.sha256(mark.encode()).hexdigest()[:32]}"


def find_engine() -> str | None:
    """The first that is installed and answers."""
    for name in ENGINES:
        program = shutil.which(name)
        if program and engine(program, ["version"]):
            return program
    return None
