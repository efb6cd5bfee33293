import os
import shutil
import subprocess

import pytest

from coordinator_project.env import BASE_DIR


@pytest.fixture
def checkout(folder):
    """A copy of the scripts in a folder whose name has a space."""
    (folder / "script").mkdir(parents=True)
    for name in ("setup", "server", "test"):
        shutil.copy(BASE_DIR / "script" / name, folder / "script" / name)
    (folder / "requirements.txt").write_text("")
    return folder


def run_setup(checkout, python, *arguments):
    return subprocess.run(
        [str(checkout / "script/setup"), *arguments],
        env=os.environ | {"PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )


def fake_python(folder, body):
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_without_venv_the_message_names_the_package_to_install(checkout):
    python = fake_python(
        checkout,
        'case "$2" in *ensurepip*) exit 1 ;; *print*) echo 3.11 ;; esac',
    )

    done = run_setup(checkout, python)

    assert done.returncode == 1
    assert "Install the package python3.11-venv" in done.stderr


def test_it_sets_up_once_and_again_when_the_requirements_change(checkout):
    first = run_setup(checkout, "python3")
    again = run_setup(checkout, "python3")
    (checkout / "requirements.txt").write_text("# changed\n")
    changed = run_setup(checkout, "python3")

    assert (first.returncode, again.returncode, changed.returncode) == (0, 0, 0), first.stderr
    assert "Making" in first.stderr
    assert again.stderr == ""
    assert "Making" not in changed.stderr
    assert "Installing requirements.txt" in changed.stderr


def test_an_interrupted_setup_is_repeated(checkout):
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").write_text("half a file")

    assert run_setup(checkout, "python3").returncode == 0
