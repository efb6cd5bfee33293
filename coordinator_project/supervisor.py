"""The process that keeps the embedded PostgreSQL running while any process uses it.

It relies on two locked files in the data folder, so that no crash leaves a server behind or keeps
the next one from starting:

`postgres.lock`, locked exclusively by the supervisor: one server for a data folder.
`postgres.users`, with a shared lock of each user of the server. When the supervisor gets an
exclusive lock, no user is left, and it stops the server.

The kernel releases the locks of a process that dies. The server gets a signal when the supervisor
dies.
"""

import fcntl
import itertools
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from coordinator_project import lifeline
from coordinator_project.address import Address
from coordinator_project.cluster import Cluster, EmbeddedFailed, free_port, locate

STOP_GENTLY = signal.SIGINT  # ends sessions, writes a checkpoint
STOP_AT_ONCE = signal.SIGQUIT  # the next start recovers from the log
TRIES = 8  # of a first start, whose user reads why it failed
PAUSE = 0.2  # seconds before the second try; each takes longer than the one before
LONGEST_PAUSE = 3.0
LOOK_EVERY = 3.0
STILL_AFTER = 15.0  # seconds without a greeting
ASK_FOR_TLS = struct.pack("!ii", 8, 80877103)  # SSLRequest, of PostgreSQL's protocol


class Supervisor:
    """Starts the server, restarts it when it dies, stops it when nobody uses it."""

    def __init__(self, cluster: Cluster, *, connections: int, durable: bool) -> None:
        self.cluster = cluster
        self.connections = connections
        self.durable = durable
        self.address = Address(cluster.folder)
        self.server: subprocess.Popen[bytes] | None = None
        self.stopping = threading.Event()

    def run(self, port: int, *, keep_port: bool) -> None:
        """Run the server until it has no users.

        With `keep_port`, sessions reconnect to `port`, so the server starts there or not at all.
        """
        threading.Thread(target=self._stop_when_unused, daemon=True).start()
        signal.signal(signal.SIGTERM, self._stop_soon)
        port = self._start(port, keep_port=keep_port)
        while not self.stopping.is_set() and self.server is not None:
            self._wait(self.server, port)
            if not self.stopping.is_set():
                say("The server died; starting it again.")
                port = self._start(port, keep_port=True)
        if self.server is not None:
            self.server.wait()

    def _start(self, port: int, *, keep_port: bool) -> int:
        """Start the server and wait until it accepts connections; return its port.

        With `keep_port` it goes on trying until nobody needs the server any more: what is in the
        way, such as a full disk, may be gone the next time. Otherwise it takes another port, since
        another process may have this one, and gives up after some tries.
        """
        pause = PAUSE
        for tries in itertools.count(1):
            end_remains(self.cluster)
            if self._is_up(port):
                break
            if self.stopping.wait(pause):
                break
            pause = min(pause * 1.5, LONGEST_PAUSE)
            if not keep_port:
                if tries == TRIES:
                    raise EmbeddedFailed("PostgreSQL did not start.")
                port = free_port()
        return port

    def _is_up(self, port: int) -> bool:
        """Launch the server; whether it accepts connections, else it has ended."""
        try:
            self.server = self._launch(port)
            while self.server.poll() is None:
                if self._is_ready(self.server.pid):
                    self.address.announce(port, self.cluster.home)
                    return True
                time.sleep(0.01)
        except OSError as problem:  # no memory, no process, no space for the announcement
            say(f"The server cannot be started: {problem}.")
            if self.server is not None:
                self.server.send_signal(STOP_GENTLY)
                self.server.wait()
        return False

    def _wait(self, server: "subprocess.Popen[bytes]", port: int) -> None:
        """Return when the server has ended; kill it if it stands still.

        Its processes would do what they have begun, but nobody could connect any more.
        """
        silent, looked_at = 0.0, time.monotonic()
        while True:
            with suppress(subprocess.TimeoutExpired):
                server.wait(LOOK_EVERY)
                return
            # If it was us who stood still, nobody could be heard meanwhile.
            elapsed = min(time.monotonic() - looked_at, 2 * LOOK_EVERY)
            looked_at = time.monotonic()
            silent = 0.0 if self.stopping.is_set() or accepts(port) else silent + elapsed
            if silent >= STILL_AFTER:
                say("The server stands still; killing it.")
                server.kill()

    def _launch(self, port: int) -> "subprocess.Popen[bytes]":
        server = subprocess.Popen(  # noqa: S603
            self.cluster.command(port, connections=self.connections, durable=self.durable),
            user=self.cluster.uid,
            group=self.cluster.uid,
            extra_groups=self.cluster.groups,
            cwd=self.cluster.home,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            # After the change of user, which would undo it.
            preexec_fn=partial(lifeline.die_with, os.getpid(), STOP_GENTLY),
        )
        if self.stopping.is_set():
            server.send_signal(STOP_GENTLY)
        return server

    def _is_ready(self, pid: int) -> bool:
        lines = postmaster_lines(self.cluster)
        return len(lines) > 7 and lines[0] == str(pid) and lines[7] == "ready"

    def _stop_when_unused(self) -> None:
        with (self.cluster.folder / "postgres.users").open("rb") as users:
            fcntl.flock(users, fcntl.LOCK_EX)
            self._stop()

    def _stop_soon(self, number: int, frame: object) -> None:
        """Give users ten seconds to leave, then stop the server."""
        waiting = threading.Timer(10, self._stop)
        waiting.daemon = True
        waiting.start()

    def _stop(self) -> None:
        self.stopping.set()
        self.address.forget()
        server = self.server
        if server is None:
            return
        for number in (STOP_GENTLY, STOP_AT_ONCE, signal.SIGKILL):
            server.send_signal(number)
            if _ends_within(server.pid, 4):
                return


def accepts(port: int) -> bool:
    """Whether the server greets a new connection; it does before it asks who that is."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=LOOK_EVERY) as connection:
            connection.sendall(ASK_FOR_TLS)
            return bool(connection.recv(1))
    except OSError:
        return False


def postmaster_lines(cluster: Cluster) -> list[str]:
    try:
        text = (cluster.data / "postmaster.pid").read_text()
    except OSError:
        return []
    return [line.strip() for line in text.splitlines()]


def orphan_of(cluster: Cluster) -> int | None:
    """The process id of a server that still runs on these files, or None."""
    lines = postmaster_lines(cluster)
    if not lines or not lines[0].isdigit():
        return None
    pid = int(lines[0])
    try:
        # Another process may have this id by now.
        if Path(f"/proc/{pid}/cwd").readlink() == cluster.data.resolve():
            return pid
        if not Path("/proc/self").exists():
            os.kill(pid, 0)
            return pid
    except OSError:
        return None
    return None


def remains_of(cluster: Cluster) -> list[int]:
    """The processes of a killed server that have not ended yet, where the system shows them."""
    home = cluster.data.resolve()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            # A person's shell may stand in this folder too.
            if (place / "cwd").readlink() == home and _name_of(place) == "postgres":
                found.append(int(place.name))
        except OSError:
            continue
    return found


def end_remains(cluster: Cluster) -> None:
    """End what a killed supervisor has left, for else the next server would not start.

    The write-ahead log makes that safe.
    """
    orphan = orphan_of(cluster)
    if orphan is not None:
        say(f"Stopping the orphaned server {orphan}.")
        _end(orphan, ((STOP_GENTLY, 2), (STOP_AT_ONCE, 2), (signal.SIGKILL, 2)))
    for pid in remains_of(cluster):
        _end(pid, ((STOP_AT_ONCE, 1), (signal.SIGKILL, 2)))
    if Path("/proc/self").exists() and not remains_of(cluster):
        # The process that it names has gone. PostgreSQL would take a zombie, or another process
        # that has this number by now, for a running server.
        (cluster.data / "postmaster.pid").unlink(missing_ok=True)


def _end(pid: int, signals: Sequence[tuple[signal.Signals, float]]) -> None:
    for number, patience in signals:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if _ends_within(pid, patience):
            return


def _name_of(place: Path) -> str:
    return (place / "comm").read_text().strip()


def say(line: str) -> None:
    """Write to PostgreSQL's log, which may be on a full disk."""
    with suppress(OSError):
        print(line, flush=True)  # noqa: T201


def _ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def main(folder: str, durability: str, connections: str, port: str, keeping: str) -> None:
    durable = durability == "durable"
    try:
        cluster = locate(Path(folder))
        cluster.initialise(durable=durable)
        supervisor = Supervisor(cluster, connections=int(connections), durable=durable)
        supervisor.run(int(port) or free_port(), keep_port=keeping == "keep")
    except (EmbeddedFailed, OSError) as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main(*sys.argv[1:])
