"""A short pass of script/chaos, and what held before it was there, fault by fault."""

import subprocess
import sys

import pytest

from chaos.plan import HITS, KINDS, Fault, plan
from chaos.run import Options, Run
from chaos.verdict import judge, report
from coordinator_project.env import BASE_DIR

# A busy machine needs longer than the 10 seconds that are promised; whoever hangs needs for ever.
PATIENT = 45.0

HELD = [
    ("terminate", "some", 0),
    ("terminate", "all", 0),
    ("taken", "connections", 1),
    ("snapshot", "held", 2),
    ("rows", "tasks", 1),
    ("lock", "tasks_task", 1),
    ("kill", "a http", 0),
    ("kill", "a maintenance", 0),
    ("kill", "postmaster", 0),
    ("kill", "b serve", 0),
    ("cut", "b once", 0),
    ("stop", "b http", 1),
]


@pytest.mark.timeout(240)
def test_nothing_is_lost_or_done_twice_whatever_is_killed_cut_or_taken(new_folder):
    run = Run(Options(seconds=0, kinds=["kill"], within=PATIENT, rest=0), new_folder, print)
    with run.alive():
        run.break_things()
        for kind, hits, seconds in HELD:
            run.make(Fault(kind, hits, seconds, pause=0, draw=0.5))
        run.end()

    verdict = judge(run)
    assert verdict.is_clean, report(run, verdict)
    assert len(run.made) == len(HELD)


@pytest.mark.timeout(240)
def test_a_short_pass_is_clean():
    arguments = ["--minutes", "0.5", "--seed", "9", "--longest", "2", "--rest", "5"]
    done = subprocess.run(
        [sys.executable, "-m", "chaos", *arguments, "--within", str(PATIENT)],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "Seed 9: clean." in done.stdout
    assert done.stdout.count("well after") >= 3


def test_a_seed_decides_all_faults_and_every_one_comes():
    every = sum(len(hits) for hits in HITS.values())

    def first(seed, number=2 * every):
        faults = plan(seed, KINDS, longest=20, servers=2)
        return [next(faults) for _ in range(number)]

    assert first(1) == first(1)
    assert first(1) != first(2)
    names = [(fault.kind, fault.hits) for fault in first(3)]
    assert set(names[:every]) == set(names[every:])
    assert len(set(names)) == every


def test_with_one_coordinator_nothing_is_done_to_a_second():
    faults = plan(1, ["kill"], longest=5, servers=1)

    assert not [one for one in (next(faults) for _ in range(50)) if one.hits.startswith("b ")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--faults", "kill,flood"], "choose among kill, terminate"),
        (["--coordinators", "3"], "invalid choice: 3"),
    ],
)
def test_an_unknown_fault_is_refused(arguments, said):
    done = subprocess.run(
        [sys.executable, "-m", "chaos", *arguments],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert said in done.stderr
