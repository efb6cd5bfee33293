"""Passwords are hashed by one thread of low priority: nobody who works waits for sign-ins."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.hashers import PBKDF2PasswordHasher

NICE = 5


def _thread_of_low_priority() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="hashing", initializer=_give_way)


def _give_way() -> None:
    # On Linux a thread has a priority of its own. It holds the interpreter only for an instant
    # before and after the computation, so nobody waits for a thread that is not run.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


class _Hashing:
    """The thread of this process."""

    def __init__(self) -> None:
        self.thread = _thread_of_low_priority()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self.thread = _thread_of_low_priority()


_hashing = _Hashing()


class PatientPBKDF2Hasher(PBKDF2PasswordHasher):
    """Django's usual hash, one at a time in each process."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        hashed: str = _hashing.thread.submit(super().encode, password, salt, iterations).result()
        return hashed
