"""Child processes: they die with their parent, even if it is killed, and have a name."""

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
# Loaded here, since a newly forked child should do as little as possible.
LIBC = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int, how: signal.Signals) -> None:
    """Let the kernel send `how` to this process, a child of `parent`, when the parent dies.

    To be called after a change of user, which undoes it. On other systems than Linux this does
    nothing; see `watch`.
    """
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, how)
        if os.getppid() != parent:  # the parent died before the call
            os._exit(1)


def watch(parent: int) -> None:
    """The same on all systems: without the kernel's help, look twice a second."""
    if sys.platform == "linux":
        die_with(parent, signal.SIGKILL)
    else:
        threading.Thread(target=_look, args=[parent], daemon=True).start()


def name(name: str) -> None:
    """Let `ps` and `top` show this process, and not others of its command, as `name`.

    Linux keeps 15 bytes of it. On other systems this does nothing.
    """
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_NAME, name.encode())


def _look(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
