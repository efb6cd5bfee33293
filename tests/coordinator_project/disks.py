"""Disks that can be full; only root may mount them."""

import os
import subprocess
from contextlib import contextmanager, suppress

import pytest

needs_a_disk = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


@contextmanager
def small_disk(folder, size):
    folder.mkdir(mode=0o711)
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    folder.chmod(0o711)
    try:
        yield
    finally:
        subprocess.run(["/bin/umount", "-l", folder], check=True)


def fill(path):
    """Leave no space on the disk of `path`."""
    with suppress(OSError), path.open("ab", buffering=0) as file:
        for size in (1024 * 1024, 4096, 1):
            with suppress(OSError):
                while file.write(b"x" * size):
                    pass
