"""What the benchmark of sweeps takes for right, and what ends the measurement."""

import subprocess
import sys

import pytest

from benchmarks.coordinator import CoordinatorFailed
from benchmarks.machine import peak_megabytes
from benchmarks.sweeps import backlog, drain, workers
from benchmarks.sweeps.workers import Spot

IDS = ["a", "b", "c"]
ONCE = {"task.created": (3, 3), "task.claimed": (3, 3), "task.completed": (3, 3)}
COUNTED = (3, 3, 0)


def answer_to_claim(*task_ids):
    tasks = ",".join(f'{{"id":"{task_id}"}}' for task_id in task_ids)
    return f'{{"tasks":[{tasks}]}}'.encode()


def answered(work, *answers):
    """The requests of a SPOT that is answered like this, to the end."""
    asked = [next(work), *(work.send(answer) for answer in answers[:-1])]
    with pytest.raises(StopIteration):
        work.send(answers[-1])
    return asked


def test_a_spot_completes_what_it_is_given_until_nothing_is_left():
    spot = Spot("spot-1")
    done = workers.ACCEPTED + b"\n"

    asked = answered(spot.drain(5), answer_to_claim("a", "b"), done, done, answer_to_claim())

    assert spot.given == ["a", "b"]
    paths = [request.split()[1].decode() for request in asked]
    complete = "/internal/v1/tasks/{}/complete"
    assert paths == [workers.CLAIM, complete.format("a"), complete.format("b"), workers.CLAIM]


def test_a_completion_that_somebody_made_before_ends_the_measurement():
    work = Spot("spot-1").drain(5)
    next(work)
    work.send(answer_to_claim("a"))

    with pytest.raises(CoordinatorFailed, match="already completed"):
        work.send(b'{"success":true,"message":"already completed"}')


def test_a_spot_takes_its_share_and_no_more():
    spot = Spot("spot-1")

    asked = answered(spot.take(3, 2), answer_to_claim("a", "b"), answer_to_claim("c"))

    assert spot.given == IDS
    assert [request.rpartition(b":")[2] for request in asked] == [b"2}", b"1}"]


def test_a_spot_that_gets_no_share_ends_the_measurement():
    work = Spot("spot-1").take(3, 2)
    next(work)

    with pytest.raises(CoordinatorFailed, match="given nothing"):
        work.send(answer_to_claim())


def test_a_job_whose_tasks_were_all_given_and_done_once_adds_up():
    drain.check(IDS, ONCE, COUNTED, 3)


@pytest.mark.parametrize(
    ("given", "told", "counted", "complaint"),
    [
        (["a", "b", "b"], ONCE, COUNTED, "2 of them different"),
        ([*IDS, "a"], ONCE, COUNTED, "4 tasks were given"),
        (IDS, ONCE | {"task.claimed": (4, 3)}, COUNTED, "journal"),
        (IDS, ONCE | {"task.retried": (1, 1)}, COUNTED, "journal"),
        (IDS, ONCE, (3, 2, 1), "counts"),
    ],
)
def test_a_job_that_does_not_add_up_ends_the_measurement(given, told, counted, complaint):
    with pytest.raises(CoordinatorFailed, match=complaint):
        drain.check(given, told, counted, 3)


def test_health_that_is_slow_now_and_then_misses_its_target():
    quick, slow = [2.0] * 98, [90.0] * 2

    middle, worst = backlog.health(quick + slow, 400)

    assert not middle.is_missed
    assert worst.is_missed


HUNGRY = """
import os
held = bytearray(b"x" * 48_000_000)
print(os.getpid(), flush=True)
input()
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""


def test_memory_is_that_of_the_largest_process_of_the_tree():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, HUNGRY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        child = int(parent.stdout.readline())
        largest = peak_megabytes(parent.pid)
        without_the_child = peak_megabytes(parent.pid, [child])
        parent.communicate(b"\n")

    assert 45 < without_the_child + 45 < largest
