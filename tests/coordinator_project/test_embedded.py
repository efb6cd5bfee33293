import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from coordinator_project import cluster, embedded, supervisor
from coordinator_project.env import BASE_DIR
from tests.coordinator_project.disks import fill, needs_a_disk, small_disk
from tests.coordinator_project.running import environment, eventually, gone

# Uses the database of a folder until its standard input ends.
USER = """
import sys
from pathlib import Path
from coordinator_project import embedded
with embedded.database(Path(sys.argv[1])) as database:
    print(database.url, flush=True)
    sys.stdin.read()
"""


def use(folder, python=sys.executable, **more):
    process = start_to_use(folder, python, **more)
    process.url = process.stdout.readline().strip()
    return process


def start_to_use(folder, python=sys.executable, **more):
    return subprocess.Popen(
        [python, "-c", USER, str(folder)],
        cwd=BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **more,
    )


def let_go(process, number=None):
    if number:
        process.send_signal(number)
    process.communicate(timeout=20)


def postmaster(folder):
    return psutil.Process(int((folder / "postgres/data/postmaster.pid").read_text().split()[0]))


def ask(url, question="SELECT 1"):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(question).fetchone()[0]


def answers(url):
    try:
        return ask(url) == 1
    except psycopg.OperationalError:
        return False


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


def test_a_server_that_dies_is_started_again_at_the_same_address(folder):
    with embedded.database(folder) as database:
        server = postmaster(folder)
        server.kill()
        gone([server])

        eventually(lambda: answers(database.url))

        assert postmaster(folder).pid != server.pid


def test_it_comes_back_when_the_supervisor_is_killed(folder):
    with embedded.database(folder) as database:
        server = postmaster(folder)
        parent = server.parent()
        parent.kill()
        assert gone([server])
        gone([parent])

        embedded.Reviver(folder).look()

        eventually(lambda: answers(database.url))


def several_servers_failed():
    """A condition: the supervisor started last has started its third server; no log is needed."""
    seen = set()
    supervisor = psutil.Process(embedded._STARTED[-1].pid)

    def look():
        seen.update(child.pid for child in supervisor.children())
        return len(seen) >= 3

    return look


def kill_both(folder):
    """Kill the server and its supervisor together, as a system without memory may."""
    server = postmaster(folder)
    parent = server.parent()
    for process in (parent, server):
        process.suspend()
    for process in (parent, server):
        process.kill()
    assert gone([server])
    eventually(lambda: not parent.is_running() or parent.status() == psutil.STATUS_ZOMBIE)
    return server


def test_it_comes_back_at_its_address_when_server_and_supervisor_are_killed_together(folder):
    with embedded.database(folder) as database:
        for _ in range(3):
            server = kill_both(folder)

            embedded.Reviver(folder).look()

            eventually(lambda: answers(database.url))
            assert postmaster(folder).pid != server.pid


def test_it_comes_back_though_a_process_of_the_killed_server_stands_still(folder):
    with embedded.database(folder) as database:
        stopped = postmaster(folder).children()[0]
        stopped.suspend()
        kill_both(folder)

        embedded.Reviver(folder).look()

        eventually(lambda: answers(database.url))
        assert gone([stopped])


def test_it_comes_back_though_another_process_has_the_number_of_the_killed_server(folder):
    with embedded.database(folder) as database:
        server = kill_both(folder)
        path = folder / "postgres/data/postmaster.pid"
        place = cluster.locate(folder)
        other = subprocess.Popen(["/bin/sleep", "60"], user=place.uid, group=place.uid)
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join([f"{other.pid}\n", *lines[1:]]))
        try:
            embedded.Reviver(folder).look()

            eventually(lambda: answers(database.url))
            assert other.poll() is None
            assert postmaster(folder).pid not in {other.pid, server.pid}
        finally:
            other.kill()
            other.wait()


def test_it_goes_on_trying_until_what_is_in_the_way_is_gone(folder):
    with embedded.database(folder) as database:
        wal = folder / "postgres/data/pg_wal"
        away = wal.with_name("elsewhere")
        kill_both(folder)
        wal.rename(away)
        embedded.Reviver(folder).look()
        eventually(several_servers_failed(), within=30)

        away.rename(wal)

        eventually(lambda: answers(database.url))


def test_it_comes_back_when_a_supervisor_could_not_start(folder, monkeypatch):
    monkeypatch.setattr(embedded, "REVIVE_EVERY", 0.1)
    with embedded.database(folder) as database:
        password = folder / "postgres.password"
        kill_both(folder)
        password.rename(password.with_suffix(".away"))
        reviver = embedded.Reviver(folder)
        for _ in range(2):
            reviver.look()
            assert gone([psutil.Process(embedded._STARTED[-1].pid)])
            embedded._STARTED[-1].wait()

        password.with_suffix(".away").rename(password)

        eventually(lambda: reviver.look() or answers(database.url))


def test_a_user_who_comes_after_the_kill_keeps_the_address_for_those_before(folder):
    first = use(folder)
    port = psycopg.conninfo.conninfo_to_dict(first.url)["port"]
    kill_both(folder)
    with socket.create_server(("127.0.0.1", int(port))) as taken:
        second = start_to_use(folder)
        log = folder / "postgres.log"
        eventually(lambda: log.read_text().count("could not bind") > 2)
        taken.close()

    second.url = second.stdout.readline().strip()
    try:
        assert second.url == first.url
        assert answers(first.url)
    finally:
        let_go(first)
        let_go(second)


@needs_a_disk
def test_it_comes_back_when_a_full_disk_has_space_again(folder):
    with small_disk(folder, "150m"), embedded.database(folder) as database:
        filler, more = folder / "filler", folder / "more"
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        fill(filler)
        # The log grows until it cannot; the server dies of that, as does each that comes after it.
        with suppress(psycopg.Error), psycopg.connect(database.url, autocommit=True) as connection:
            while True:
                connection.execute("CREATE TABLE large AS SELECT * FROM generate_series(1, 90000)")
                connection.execute("DROP TABLE large")
        kill_both(folder)
        fill(more)
        reviver = embedded.Reviver(folder)
        reviver.look()
        eventually(several_servers_failed(), within=30)
        assert not answers(database.url)

        filler.unlink()
        more.unlink()

        eventually(lambda: reviver.look() or answers(database.url))
        assert ask(database.url, "SELECT answer FROM kept") == 42


def test_an_orphan_is_recognised_and_stopped(folder):
    with embedded.database(folder):
        pass
    place = cluster.locate(folder)
    orphan = subprocess.Popen(
        place.command(cluster.free_port(), connections=100, durable=True),
        user=place.uid,
        group=place.uid,
        extra_groups=place.groups,
        cwd=place.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: "ready" in " ".join(supervisor.postmaster_lines(place)))

    with embedded.database(folder) as database:
        assert ask(database.url) == 1
        assert orphan.wait(5) is not None


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
