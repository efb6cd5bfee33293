"""How the browser comes to a machine, on one whose commands only pretend."""

import shutil
import subprocess

import pytest

from coordinator_project.env import BASE_DIR

BASH = shutil.which("bash")
SHELL = "chromium-headless-shell"
WHAT_TO_INSTALL = f"Install the package {SHELL} (Debian: apt-get install {SHELL})"
MAKES_SHELL = f'printf "#!/bin/sh\\n" >"$here/{SHELL}" && chmod 755 "$here/{SHELL}"'


@pytest.fixture
def machine(tmp_path):
    """A folder with all commands there are: no browser among them, and nobody is root."""
    (tmp_path / "chmod").symlink_to(shutil.which("chmod"))
    put(tmp_path, "id", "echo 1000")
    return tmp_path


def put(machine, name, body):
    (machine / name).write_text(f'#!{BASH}\nhere="{machine}"\n{body}\n')
    (machine / name).chmod(0o755)


def make_root(machine):
    put(machine, "id", "echo 0")


def ask_for_chromium(machine, *arguments, **more):
    return subprocess.run(
        [BASH, str(BASE_DIR / "script/chromium"), *arguments],
        env={"PATH": str(machine)} | more,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", [SHELL, "chromium", "google-chrome"])
def test_a_browser_that_is_there_is_named_and_nothing_is_installed(machine, name):
    make_root(machine)
    put(machine, "apt-get", 'echo called >"$here/calls"')
    put(machine, name, "")

    done = ask_for_chromium(machine)

    assert (done.returncode, done.stdout.strip()) == (0, f"{machine}/{name}")
    assert not (machine / "calls").exists()


def test_the_one_without_windows_is_taken_where_both_are(machine):
    put(machine, "chromium", "")
    put(machine, SHELL, "")

    assert ask_for_chromium(machine).stdout.strip() == f"{machine}/{SHELL}"


def test_another_browser_can_be_named(machine):
    put(machine, SHELL, "")
    put(machine, "my-browser", "")

    done = ask_for_chromium(machine, CHROMIUM=f"{machine}/my-browser")

    assert done.stdout.strip() == f"{machine}/my-browser"


def test_root_installs_it_from_the_packages_of_the_distribution(machine):
    make_root(machine)
    put(machine, "apt-get", f'echo "$@" >>"$here/calls"\n{MAKES_SHELL}')

    done = ask_for_chromium(machine)

    assert (done.returncode, done.stdout.strip()) == (0, f"{machine}/{SHELL}"), done.stderr
    calls = (machine / "calls").read_text().splitlines()
    assert len(calls) == 1
    assert calls[0].startswith("install ")
    assert f" {SHELL} " in calls[0]


def test_lists_of_packages_that_are_empty_are_asked_for_first(machine):
    make_root(machine)
    put(
        machine,
        "apt-get",
        'case "$1" in update) : >"$here/lists" ;; esac\n[ -e "$here/lists" ] || exit 100\n'
        f'case "$1" in install) {MAKES_SHELL} ;; esac',
    )

    assert ask_for_chromium(machine).returncode == 0


def test_an_ordinary_user_is_told_the_name_of_the_package(machine):
    put(machine, "apt-get", 'echo called >"$here/calls"')

    done = ask_for_chromium(machine)

    assert done.returncode == 1
    assert "only root may install it" in done.stderr
    assert WHAT_TO_INSTALL in done.stderr
    assert not (machine / "calls").exists()


def test_packages_that_cannot_be_had_are_said(machine):
    make_root(machine)
    put(machine, "apt-get", "exit 100")

    done = ask_for_chromium(machine)

    assert done.returncode == 1
    assert "apt-get did not get it" in done.stderr
    assert WHAT_TO_INSTALL in done.stderr


def test_a_machine_without_apt_is_told_the_name_too(machine):
    make_root(machine)

    done = ask_for_chromium(machine)

    assert done.returncode == 1
    assert WHAT_TO_INSTALL in done.stderr


def test_looking_for_it_installs_nothing(machine):
    make_root(machine)
    put(machine, "apt-get", f'echo called >"$here/calls"\n{MAKES_SHELL}')

    done = ask_for_chromium(machine, "find")

    assert done.returncode == 1
    assert WHAT_TO_INSTALL in done.stderr
    assert not (machine / "calls").exists()
