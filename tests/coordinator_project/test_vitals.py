"""The beats of processes, and who is taken to stand still."""

import os

import pytest

from coordinator_project import processes, vitals
from coordinator_project.processes import Child


@pytest.fixture
def signs(monkeypatch):
    monkeypatch.setattr(vitals, "present", vitals.Vitals())
    return vitals.present


@pytest.fixture
def child(signs):
    return Child("http-0", print, (), signs.add("http-0"), None, None)


def test_a_process_that_beats_is_heard(signs, child):
    signs.place = child.place
    for _ in range(100):
        signs.beat()
        assert child.hear(1.0)


def test_a_process_stands_still_after_fifteen_seconds_of_looking(signs, child):
    signs.place = child.place
    signs.beat()
    assert child.hear(1.0)

    heard = [child.hear(1.0) for _ in range(15)]

    assert heard == [True] * 14 + [False]
    signs.beat()
    assert child.hear(1.0)


def test_a_process_has_longer_until_its_first_beat(child):
    heard = [child.hear(1.0) for _ in range(60)]

    assert heard.index(False) == processes.READY_WITHIN - 1


def test_a_process_that_was_started_again_begins_anew(signs, child):
    signs.place = child.place
    signs.beat(behind=3.0)

    signs.begin(child.place)

    assert signs.signs() == []


def test_signs_say_who_does_not_read_the_journal(signs):
    for behind in (None, 0.1, 60.0):
        signs.place = signs.add("http")
        signs.beat(behind)

    assert [sign.ok for sign in signs.signs()] == [True, True, False]
    assert signs.signs()[2].behind == pytest.approx(60, abs=1)


def test_a_process_that_hears_agents_is_deaf_when_it_has_not_for_a_while(signs):
    for name in ("maintenance", "http-0", "http-1"):
        signs.place = signs.add(name)
        signs.beat()
        if name != "maintenance":
            signs.hear()
    assert signs.deaf() == []

    signs.heard[1] -= vitals.DEAF_AFTER + 1

    assert signs.deaf() == ["http-0"]
    signs.begin(1)
    assert signs.deaf() == [], "it has a moment after its start"
    signs.heard[1] -= vitals.DEAF_AFTER + 1
    assert signs.deaf() == ["http-0"], "it was started and does not hear either"


def test_a_process_knows_those_that_are_started_after_it(signs):
    ours, theirs = os.pipe()
    signs.add("first")
    child = os.fork()
    if not child:
        os.read(ours, 1)
        os._exit(0 if signs.names == ["first", "second"] else 1)

    signs.add("second")
    os.write(theirs, b"x")

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
