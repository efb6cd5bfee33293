"""How each kind of fault is done, and undone."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from chaos.plan import Fault
from chaos.proxy import Proxy
from chaos.servers import Postgres, Server

OURS = "pid <> pg_backend_pid() AND backend_type = 'client backend' AND application_name <> 'chaos'"
BACKENDS = f"SELECT pid FROM pg_stat_activity WHERE {OURS} ORDER BY pid"  # noqa: S608
DELAY = 0.15
TAKE_OVER = 0.9
ROOM = "4g"  # of the small disk, while it is not full
LOG_FILES = 40
MOST_CONNECTIONS = 500
ROWS = {
    "tasks": "SELECT id FROM tasks_task WHERE status = 'queued' ORDER BY id LIMIT 500 FOR UPDATE",
    "chains": "SELECT id FROM chains_chain WHERE status <> 'done' ORDER BY id LIMIT 50 FOR UPDATE",
    "agents": "SELECT id FROM agents_agent ORDER BY id FOR UPDATE",
}


class FaultFailed(Exception):
    """A fault could not be made, so the run would show less than it says."""


@dataclass
class Hands:
    """What the faults reach for."""

    servers: dict[str, Server]
    postgres: Postgres
    proxy: Proxy | None
    disk: Path | None

    def during(self, fault: Fault) -> AbstractContextManager[None]:
        """A block at whose beginning the fault is made, and at whose end it is undone."""
        ways: dict[str, Callable[[Fault], Iterator[None]]] = {
            "kill": self.kill,
            "terminate": self.terminate,
            "cut": self.cut,
            "blackhole": self.blackhole,
            "delay": self.slow,
            "stop": self.halt,
            "lock": self.lock,
            "rows": self.rows,
            "snapshot": self.snapshot,
            "taken": self.take_connections,
            "readonly": self.read_only,
            "disk": self.fill,
        }
        return contextmanager(ways[fault.kind])(fault)

    def kill(self, fault: Fault) -> Iterator[None]:
        name, _, role = fault.hits.partition(" ")
        if role == "serve":
            self.servers[name].kill()
            self.servers[name].start()
        elif fault.hits == "everything":
            for server in self.servers.values():
                family = server.family()
                server.kill()
                _signal(family, signal.SIGKILL)
            for server in self.servers.values():
                server.start()
                server.wait_until_serving()  # the second needs the database of the first
        else:
            _signal(self.found(fault), signal.SIGKILL)
        yield
        for server in self.servers.values():
            if server.ended() is None:
                server.wait_until_serving()

    def found(self, fault: Fault) -> list[psutil.Process]:
        """The processes that a fault hits."""
        server = self.servers.get(fault.hits.split()[0], self.servers["a"])
        roles = [role for role in fault.hits.split() if role not in {"a", "b", "and"}]
        if roles == ["postgres"]:
            roles = ["postmaster", "backend"]
        processes = [one for role in roles for one in server.processes(role)]
        if not processes:
            raise FaultFailed(f"there is no {fault.hits} to {fault.kind}")
        if roles == ["http"]:
            return [processes[int(fault.draw * len(processes))]]
        return processes

    def terminate(self, fault: Fault) -> Iterator[None]:
        with self.postgres.connect() as connection:
            pids = [row[0] for row in connection.execute(BACKENDS)]
            for pid in pids if fault.hits == "all" else pids[:: 2 + int(fault.draw * 2)]:
                connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        yield

    def cut(self, fault: Fault) -> Iterator[None]:
        proxy = self.through()
        if fault.seconds:
            proxy.refuse()
        else:
            proxy.cut()
        yield
        proxy.heal()

    def blackhole(self, fault: Fault) -> Iterator[None]:
        if fault.hits == "b leading":
            # Whoever waits for it becomes the leader before it is started again.
            _signal(self.servers["a"].processes("maintenance"), signal.SIGKILL)
            time.sleep(TAKE_OVER)
        self.through().hold()
        yield
        if fault.draw < 0.5:
            self.through().cut()
        self.through().heal()

    def slow(self, fault: Fault) -> Iterator[None]:
        self.through().delay = DELAY
        yield
        self.through().heal()

    def through(self) -> Proxy:
        if self.proxy is None:
            raise FaultFailed("there is no proxy with one coordinator")
        return self.proxy

    def halt(self, fault: Fault) -> Iterator[None]:
        if fault.hits == "backend":
            with self.postgres.connect() as connection:
                pids = [row[0] for row in connection.execute(BACKENDS)]
            chosen = [psutil.Process(pids[int(fault.draw * len(pids))])] if pids else []
        else:
            chosen = self.found(fault)
        _signal(chosen, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(chosen, signal.SIGCONT)

    def lock(self, fault: Fault) -> Iterator[None]:
        statement = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE")
        return self.inside(statement.format(sql.Identifier(fault.hits)))

    def rows(self, fault: Fault) -> Iterator[None]:
        return self.inside(sql.SQL(ROWS[fault.hits]))

    def snapshot(self, fault: Fault) -> Iterator[None]:
        return self.inside(sql.SQL("SELECT count(*) FROM tasks_task"), "REPEATABLE READ")

    def inside(
        self, statement: sql.SQL | sql.Composed, level: str = "READ COMMITTED"
    ) -> Iterator[None]:
        with self.postgres.connect() as connection:
            connection.execute("SET lock_timeout = '20s'")
            connection.execute(sql.SQL("BEGIN ISOLATION LEVEL " + level))
            with suppress(psycopg.errors.LockNotAvailable):
                connection.execute(statement)
            yield
            connection.execute("ROLLBACK")

    def take_connections(self, fault: Fault) -> Iterator[None]:
        with ExitStack() as taken:
            first = taken.enter_context(self.postgres.connect())
            self.fill_up(taken)
            first.execute(f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS}) b")  # noqa: S608
            self.fill_up(taken)
            yield

    def fill_up(self, taken: ExitStack) -> None:
        with suppress(psycopg.OperationalError):
            for _ in range(MOST_CONNECTIONS):
                taken.enter_context(self.postgres.connect())

    def read_only(self, fault: Fault) -> Iterator[None]:
        self.alter("ALTER SYSTEM SET default_transaction_read_only = on")
        try:
            yield
        finally:
            self.alter("ALTER SYSTEM RESET default_transaction_read_only")

    def alter(self, statement: str) -> None:
        with self.postgres.connect() as connection:
            connection.execute(statement)
            connection.execute("SELECT pg_reload_conf()")

    def fill(self, fault: Fault) -> Iterator[None]:
        if self.disk is None:
            raise FaultFailed("there is no disk that could be filled")
        used = psutil.disk_usage(str(self.disk)).used
        resize(self.disk, f"{used // 1024 + 64}k")
        try:
            if fault.hits == "full for the log":
                self.use_up_the_log()
            yield
        finally:
            resize(self.disk, ROOM)

    def use_up_the_log(self) -> None:
        """Let PostgreSQL begin new files of its write-ahead log, until it finds no room for one."""
        with suppress(psycopg.Error), self.postgres.connect() as connection:
            for _ in range(LOG_FILES):
                connection.execute("SELECT pg_logical_emit_message(true, 'chaos', 'full')")
                connection.execute("SELECT pg_switch_wal()")


def mount(disk: Path) -> bool:
    """Mount a small disk at the empty folder `disk`; False where that is not allowed."""
    return _mount("-t", "tmpfs", "-o", f"size={ROOM},mode=0711", "tmpfs", str(disk))


def unmount(disk: Path) -> None:
    deadline = time.monotonic() + 10
    while subprocess.run(["umount", str(disk)], capture_output=True).returncode:  # noqa: S603, S607
        if time.monotonic() > deadline:
            raise FaultFailed(f"{disk} is still in use")
        time.sleep(0.2)


def resize(disk: Path, size: str) -> None:
    if not _mount("-o", f"remount,size={size}", str(disk)):
        raise FaultFailed(f"{disk} cannot be made {size} large")


def _mount(*arguments: str) -> bool:
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except OSError:
        return False
    return done.returncode == 0


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it died with one before
            process.send_signal(number)
