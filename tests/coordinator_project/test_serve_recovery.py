"""`serve` goes on after kills, stopped processes, a lost database and a full disk."""

import signal
import subprocess
import time

import psutil

from tests.coordinator_project.disks import fill, needs_a_disk, small_disk
from tests.coordinator_project.running import (
    answers,
    ask_each,
    eventually,
    free_port,
    gone,
    postgres_of,
    running,
    status,
    workers,
)


def test_nothing_outlives_a_killed_parent_and_the_next_start_is_at_once(used_folder):
    with running(used_folder, COORDINATOR_PORT=str(free_port())) as coordinator:
        coordinator.ready()
        family = coordinator.family()
        coordinator.end(signal.SIGKILL)

        started = time.monotonic()
        with running(used_folder, COORDINATOR_PORT=coordinator.url.rpartition(":")[2]) as again:
            again.ready()

            assert again.url == coordinator.url
            assert again.get("/health").status_code == 200
        assert time.monotonic() - started < 15
        assert gone(family)


def test_it_starts_at_once_after_all_its_processes_were_killed(used_folder):
    with running(used_folder, COORDINATOR_PORT=str(free_port())) as coordinator:
        coordinator.ready()
        family = coordinator.family()
        for process in [psutil.Process(coordinator.process.pid), *family]:
            if process.is_running():
                process.kill()
        coordinator.end()

        with running(used_folder, COORDINATOR_PORT=coordinator.url.rpartition(":")[2]) as again:
            again.ready()
            assert again.get("/health").status_code == 200


def test_a_process_that_dies_is_started_again(used_folder):
    with running(used_folder, COORDINATOR_PROCESSES="1") as coordinator:
        coordinator.ready()
        before = {process.pid for process in workers(coordinator)}
        assert names_of(workers(coordinator)) == ["bulk", "http-0", "maintenance"]
        for process in workers(coordinator):
            process.kill()

        eventually(lambda: len({p.pid for p in workers(coordinator)} - before) == 3)
        eventually(lambda: names_of(workers(coordinator)) == ["bulk", "http-0", "maintenance"])
        eventually(lambda: answers(coordinator))

        assert "A process died; it starts again." in coordinator.output


def names_of(processes):
    return sorted(ask_each(processes, psutil.Process.name))


def test_processes_that_stand_still_are_replaced(used_folder):
    with running(used_folder) as coordinator:
        coordinator.ready()
        before = workers(coordinator)
        stopped = before[:2]  # the maintenance loop, and the process for bulk
        for process in stopped:
            process.suspend()

        eventually(
            lambda: len(workers(coordinator)) == len(before) and not alive(stopped), within=40
        )
        eventually(lambda: coordinator.get("/health/details").json()["loop"]["led"], within=20)

        assert coordinator.output.count('"A process stands still."') == 2
        assert before[2].is_running()
        for _ in range(8):
            assert answers(coordinator)


def alive(processes):
    return [process for process in processes if process.is_running()]


def test_it_survives_the_death_of_its_database(used_folder):
    with running(used_folder) as coordinator:
        coordinator.ready()
        family = postgres_of(coordinator)
        for process in family:
            if process.is_running():
                process.kill()

        eventually(lambda: status(coordinator, "/v1/agents") == 200, within=20)


def test_it_survives_the_death_of_its_database_with_the_supervisor(used_folder):
    with running(used_folder) as coordinator:
        coordinator.ready()
        for _ in range(3):
            both = eventually(lambda: supervisor_and_server(coordinator))
            for process in both:
                process.suspend()  # neither learns of the other's death
            for process in both:
                process.kill()

            eventually(lambda: status(coordinator, "/v1/agents") == 200, within=20)
            assert answers(coordinator)

        assert "Traceback" not in coordinator.output


def test_it_answers_503_until_its_database_can_start_again(used_folder):
    wal = used_folder / "postgres/data/pg_wal"
    with running(used_folder) as coordinator:
        coordinator.ready()
        both = supervisor_and_server(coordinator)
        for process in both:
            process.suspend()
        wal.rename(wal.with_name("away"))
        for process in both:
            process.kill()
        eventually(lambda: status(coordinator, "/v1/agents") == 503)
        eventually(lambda: "The embedded PostgreSQL died" in coordinator.output)
        assert status(coordinator, "/v1/agents") == 503
        assert answers(coordinator)

        wal.with_name("away").rename(wal)

        eventually(lambda: status(coordinator, "/v1/agents") == 200, within=20)
        assert "Traceback" not in coordinator.output


@needs_a_disk
def test_details_say_that_the_disk_is_full_and_all_goes_on_when_it_is_not(first_run, folder):
    with small_disk(folder, "300m"):
        subprocess.run(["/bin/cp", "-a", f"{first_run}/.", str(folder)], check=True)
        with running(folder) as coordinator:
            coordinator.ready()
            eventually(lambda: status(coordinator, "/health/details") == 200)
            filler = folder / "filler"
            fill(filler)

            eventually(lambda: status(coordinator, "/health/details") == 503)
            body = coordinator.get("/health/details").json()
            assert body["database"]["cause"] in {"disk_full", "database_away", "database_stopping"}
            assert answers(coordinator)

            filler.unlink()
            eventually(lambda: status(coordinator, "/health/details") == 200, within=20)
            eventually(lambda: status(coordinator, "/v1/agents") == 200)


def supervisor_and_server(coordinator):
    """The two that a system without memory may kill together; nothing while one is missing."""
    children = psutil.Process(coordinator.process.pid).children()
    for child, command in ask_each(children, lambda p: (p, p.cmdline())):
        if "coordinator_project.supervisor" in command and child.children():
            return [child, child.children()[0]]
    return []
