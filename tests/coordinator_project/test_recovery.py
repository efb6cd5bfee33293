"""The embedded PostgreSQL comes back, whatever was killed, stopped or full."""

import socket
import subprocess
from contextlib import suppress

import psutil
import psycopg

from coordinator_project import cluster, embedded, supervisor
from tests.coordinator_project.disks import fill, needs_a_disk, small_disk
from tests.coordinator_project.embedding import (
    answers,
    ask,
    let_go,
    postmaster,
    start_to_use,
    use,
)
from tests.coordinator_project.running import eventually, gone


def test_a_server_that_dies_is_started_again_at_the_same_address(folder):
    with embedded.database(folder) as database:
        server = postmaster(folder)
        server.kill()
        gone([server])

        eventually(lambda: answers(database.url))

        assert postmaster(folder).pid != server.pid


def test_a_server_that_stands_still_is_replaced_at_its_address(folder):
    with embedded.database(folder) as database:
        server = postmaster(folder)
        server.suspend()

        assert gone([server], within=40)
        eventually(lambda: answers(database.url))


def test_a_server_that_greets_is_left_alone(folder):
    with embedded.database(folder) as database:
        assert supervisor.accepts(database.port)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            assert not supervisor.accepts(silent.getsockname()[1])
    assert not supervisor.accepts(database.port)


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
            assert embedded._STARTED[-1].wait(60)

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
