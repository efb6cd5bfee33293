"""A child process that dies with its parent, however the parent died."""

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
# Loaded here, since a child that was just forked should do as little as it can.
LIBC = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int, how: signal.Signals) -> None:
    """Have this process, a child of `parent`, receive the signal `how` when the parent dies.

    To be called after a change of user, which undoes it. Elsewhere than on Linux this does
    nothing, see `watch`.
    """
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, how)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)


def watch(parent: int) -> None:
    """The same where the kernel does not help: look twice a second."""
    if sys.platform == "linux":
        die_with(parent, signal.SIGKILL)
    else:
        threading.Thread(target=_look, args=[parent], daemon=True).start()


def _look(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
