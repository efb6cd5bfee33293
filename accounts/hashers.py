"""Passwords are hashed by one thread, which lets those who work go first."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.hashers import PBKDF2PasswordHasher

NICE = 5


class _Hashing:
    """The thread of this process."""

    def __init__(self) -> None:
        self.nice = 0
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="hashing", initializer=self._set)

    def _set(self) -> None:
        # On Linux a thread has a priority of its own. It holds the interpreter only for an instant
        # before and after the computation, so nobody waits for a thread that is not run.
        if self.nice:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self.nice)


_hashing = _Hashing()


def give_way() -> None:
    """From its first hash on, the thread of this process lets all others go first."""
    _hashing.nice = NICE


class PatientPBKDF2Hasher(PBKDF2PasswordHasher):
    """Django's usual hash, one at a time in each process."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        hashed: str = _hashing.thread.submit(super().encode, password, salt, iterations).result()
        return hashed
