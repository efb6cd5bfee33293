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
import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

from coordinator_project import lifeline
from coordinator_project.cluster import Cluster, EmbeddedFailed, free_port, locate

STOP_GENTLY = signal.SIGINT  # ends sessions, writes a checkpoint
STOP_AT_ONCE = signal.SIGQUIT  # the next start recovers from the log


class Supervisor:
    """Starts the server, restarts it when it dies, stops it when nobody uses it."""

    def __init__(self, cluster: Cluster, *, durable: bool) -> None:
        self.cluster = cluster
        self.durable = durable
        self.running_file = cluster.folder / "postgres.running"
        self.server: subprocess.Popen[bytes] | None = None
        self.stopping = threading.Event()

    def run(self, port: int) -> None:
        """Run the server until it has no users; `port` is its address from before a crash."""
        threading.Thread(target=self._stop_when_unused, daemon=True).start()
        signal.signal(signal.SIGTERM, self._stop_soon)
        end_orphan(self.cluster)
        port = self._start(port)
        while not self.stopping.is_set() and self.server is not None:
            self.server.wait()
            if not self.stopping.is_set():
                print("The server died; starting it again.", flush=True)  # noqa: T201
                # Sessions reconnect to this address.
                port = self._start(port, keep_port=True)
        if self.server is not None:
            self.server.wait()

    def _start(self, port: int, *, keep_port: bool = False) -> int:
        """Start the server and wait until it accepts connections; return its port.

        It tries several times, since another process may take the port, and the remains of a
        killed server take a moment to go.
        """
        for _ in range(20):
            self.server = self._launch(port)
            while self.server.poll() is None:
                if self._is_ready(self.server.pid):
                    self._announce(port)
                    return port
                time.sleep(0.01)
            if self.stopping.is_set():
                return port
            time.sleep(0.2)
            port = port if keep_port else free_port()
        raise EmbeddedFailed("PostgreSQL did not start.")

    def _launch(self, port: int) -> "subprocess.Popen[bytes]":
        server = subprocess.Popen(  # noqa: S603
            self.cluster.command(port, durable=self.durable),
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

    def _announce(self, port: int) -> None:
        draft = self.running_file.with_suffix(".new")
        draft.write_text(json.dumps({"port": port, "home": str(self.cluster.home)}))
        draft.rename(self.running_file)

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
        self.running_file.unlink(missing_ok=True)
        server = self.server
        if server is None:
            return
        for number in (STOP_GENTLY, STOP_AT_ONCE, signal.SIGKILL):
            server.send_signal(number)
            if _ends_within(server.pid, 4):
                return


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


def end_orphan(cluster: Cluster) -> None:
    """Stop a server whose supervisor was killed; its write-ahead log makes that safe."""
    pid = orphan_of(cluster)
    if pid is None:
        return
    print(f"Stopping the orphaned server {pid}.", flush=True)  # noqa: T201
    for number, patience in ((STOP_GENTLY, 2), (STOP_AT_ONCE, 2), (signal.SIGKILL, 2)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if _ends_within(pid, patience):
            return


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


def main(folder: str, durability: str, port: str) -> None:
    durable = durability == "durable"
    try:
        cluster = locate(Path(folder))
        cluster.initialise(durable=durable)
        Supervisor(cluster, durable=durable).run(int(port) or free_port())
    except (EmbeddedFailed, OSError) as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main(*sys.argv[1:])
