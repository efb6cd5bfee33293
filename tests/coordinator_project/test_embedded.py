import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from coordinator_project import cluster, embedded
from coordinator_project.env import BASE_DIR
from tests.coordinator_project.embedding import ask, let_go, postmaster, use
from tests.coordinator_project.running import environment, gone


def test_it_starts_answers_stops_and_keeps_its_data(folder):
    with embedded.database(folder) as database:
        with psycopg.connect(database.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        server = postmaster(folder)
    assert gone([server])

    with embedded.database(folder) as database:
        assert ask(database.url, "SELECT answer FROM kept") == 42


def test_it_is_set_up_safely(folder):
    with embedded.database(folder) as database:
        shown = {
            name: ask(database.url, f"SHOW {name}")
            for name in ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses")
        }
        locale = ask(
            database.url,
            "SELECT datlocprovider::text || datlocale FROM pg_database"
            " WHERE datname = current_database()",
        )
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(database.url.replace(":", ":x", 2).replace(":x//", "://"))

    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "127.0.0.1",
    }
    assert locale == "bC.UTF-8"
    assert (folder / "postgres.password").stat().st_mode & 0o777 == 0o600


def test_two_users_share_one_server_and_the_last_stops_it(folder):
    first = use(folder)
    second = use(folder)
    server = postmaster(folder)

    let_go(first)
    assert ask(second.url) == 1
    let_go(second)

    assert first.url == second.url
    assert gone([server])


def test_two_folders_have_two_servers(folder):
    other = folder.with_name("another")

    with embedded.database(folder) as one, embedded.database(other) as two:
        assert one.port != two.port
        assert ask(one.url) == ask(two.url) == 1


def test_nothing_outlives_a_killed_user(folder):
    user = use(folder)
    server = postmaster(folder)
    family = [server, server.parent()]

    let_go(user, signal.SIGKILL)

    assert gone(family)


def test_it_starts_at_once_after_its_user_was_killed(folder):
    let_go(use(folder), signal.SIGKILL)

    started = time.monotonic()
    with embedded.database(folder) as database:
        assert ask(database.url) == 1

    assert time.monotonic() - started < 5


def test_committed_data_survive_a_kill_of_everything(folder):
    user = use(folder)
    with psycopg.connect(user.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server = postmaster(folder)
    family = [server.parent(), server, *server.children(recursive=True)]

    for process in [psutil.Process(user.pid), *family]:
        with suppress(psutil.NoSuchProcess):  # some die with those before
            process.kill()
    let_go(user)

    started = time.monotonic()
    with embedded.database(folder) as database:
        assert ask(database.url, "SELECT answer FROM kept") == 42
    assert time.monotonic() - started < 10
    assert gone(family)


def test_an_interrupted_setup_is_repeated(folder):
    home = folder / "postgres"
    (home / "data.new").mkdir(parents=True)
    (home / "data.new" / "PG_VERSION").write_text("18")
    folder.chmod(0o711)

    with embedded.database(folder) as database:
        assert ask(database.url) == 1


def test_files_of_another_version_are_refused(folder):
    with embedded.database(folder):
        pass
    (folder / "postgres/data/PG_VERSION").write_text("17\n")

    with (
        pytest.raises(cluster.EmbeddedFailed, match="was made by PostgreSQL 17, this is 18"),
        embedded.database(folder),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a need to change users")
def test_as_root_the_server_belongs_to_another_user(folder):
    with embedded.database(folder):
        assert postmaster(folder).uids().real == cluster.UNPRIVILEGED
        assert (folder / "postgres").stat().st_uid == cluster.UNPRIVILEGED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a need to change users")
def test_as_root_the_cluster_of_a_closed_folder_is_placed_outside(folder, monkeypatch):
    places = folder.with_name("places")
    monkeypatch.setattr(cluster, "FALLBACK", places)
    folder.mkdir()
    folder.chmod(0o700)

    found = cluster.locate(folder)
    found.initialise(durable=False)

    assert places in found.home.parents
    assert places in found.bin.parents
    assert not (folder / "postgres").exists()
    folder.chmod(0o711)
    assert cluster.locate(folder) == found, "what lies there already is found again"


@pytest.mark.skipif(os.geteuid() != 0, reason="runs as an ordinary user anyway")
def test_an_ordinary_user_runs_it_as_itself(folder):
    someone = 1  # `daemon`, whom every system knows
    python = a_python_for(someone)
    folder.mkdir()
    os.chown(folder, someone, someone)

    user = use(
        folder,
        python,
        user=someone,
        group=someone,
        extra_groups=[],
        env=environment(folder, PYTHONPATH=str(Path(psycopg.__file__).parents[1])),
    )
    try:
        assert ask(user.url) == 1
        assert postmaster(folder).uids().real == someone
    finally:
        let_go(user)


def a_python_for(uid):
    """An interpreter that this user may run with the packages that are installed here."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            subprocess.run(
                [python, "-c", "import psycopg, coordinator_project"],
                cwd=BASE_DIR,
                env=environment(BASE_DIR, PYTHONPATH=str(Path(psycopg.__file__).parents[1])),
                user=uid,
                group=uid,
                extra_groups=[],
                capture_output=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("no interpreter with these packages lies where another user can reach it")
    return None
