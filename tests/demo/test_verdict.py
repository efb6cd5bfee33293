"""A verdict must be able to find fault: each test breaks one thing of a run that was right."""

import pytest

from benchmarks.demo import verdict, work
from benchmarks.demo.work import File, Plan

FILE, FIRST, SECOND, CHAIN = "file", "first", "second", "chain"


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "one.py"
    path.write_text("pass\n")
    return Plan("channel", {FILE: File(path, "one.py", 5)}, {CHAIN: [FIRST, SECOND]})


@pytest.fixture
def tasks(plan):
    return [
        {"id": task_id, "status": "done", "result": right}
        for task_id, _, right in verdict.expected(plan)
    ]


def task(kind, task_id, agent_id="operator", was="in_progress"):
    chain_id = None if task_id == FILE else CHAIN
    event = {"type": f"task.{kind}", "task_id": task_id, "agent_id": agent_id}
    return event | {"chain_id": chain_id, "payload": {"from": was}}


def chain(kind, agent_id="operator", was=None):
    event = {"type": f"chain.{kind}", "chain_id": CHAIN, "agent_id": agent_id}
    return event | {"payload": {"from": was}}


def story():
    return [
        task("claimed", FILE, "berta"),
        task("claimed", FIRST),
        chain("acquired"),
        task("completed", FIRST),
        task("completed", FILE, "berta"),
        task("claimed", SECOND),
        task("completed", SECOND),
    ]


def test_a_run_that_was_right_finds_no_fault(plan, tasks):
    found = verdict.judge(plan, tasks, story())

    assert found.complaints == []
    assert found.owners == 1


def test_a_chain_may_change_hands_between_steps(plan, tasks):
    events = [
        *story()[:5],
        chain("released"),
        task("claimed", SECOND, "berta"),
        chain("acquired", "berta"),
        task("completed", SECOND, "berta"),
    ]

    assert verdict.judge(plan, tasks, events).complaints == []


def test_a_task_that_was_taken_back_may_be_completed_by_another_or_late(plan, tasks):
    again = [task("retried", FILE, "berta"), task("claimed", FILE, "carla")]
    by_another = [*story()[:4], *again, task("completed", FILE, "carla"), *story()[5:]]
    late = [
        *story()[:4],
        task("retried", FILE, "berta"),
        task("completed", FILE, "berta", was="queued"),
        *story()[5:],
    ]

    for events in (by_another, late):
        found = verdict.judge(plan, tasks, events)
        assert (found.complaints, found.taken_back) == ([], 1)


@pytest.mark.parametrize(
    "wrong", [{"status": "failed"}, {"result": {"sha256": "0"}}, {"result": None}, {"id": "other"}]
)
def test_a_wrong_result_is_found(plan, tasks, wrong):
    tasks[0] |= wrong

    assert "one.py" in verdict.judge(plan, tasks, story()).results[0]


def test_a_file_that_reads_differently_now_is_found(plan, tasks):
    plan.files[FILE].path.write_text("raise\n")

    assert len(verdict.judge(plan, tasks, story()).results) == 1


@pytest.mark.parametrize(
    "more",
    [
        task("completed", FILE, "berta"),
        task("claimed", FILE, "carla"),
        task("requeued", SECOND),
    ],
)
def test_what_happens_to_a_done_task_is_found(plan, tasks, more):
    assert len(verdict.judge(plan, tasks, [*story(), more]).once) == 1


@pytest.mark.parametrize(
    ("place", "event", "fault"),
    [
        (1, task("claimed", FILE, "carla"), "held by berta"),
        (4, task("completed", FILE, "carla"), "without holding it"),
        (3, task("locked", FIRST), "task.locked"),
        (3, task("cancelled", FILE), "task.cancelled"),
    ],
)
def test_a_hold_that_is_not_respected_is_found(plan, tasks, place, event, fault):
    events = story()
    events.insert(place, event)

    assert fault in verdict.judge(plan, tasks, events).once[0]


def test_a_task_that_the_journal_does_not_see_done_is_found(plan, tasks):
    events = [event for event in story() if event.get("task_id") != FILE]

    assert verdict.judge(plan, tasks, events).once == ["the journal does not see file done"]


def test_a_step_before_its_turn_is_found(plan, tasks):
    events = story()
    events[3], events[5] = events[5], events[3]

    assert (
        "step 2 by operator when it was step 1's turn"
        in verdict.judge(plan, tasks, events).order[0]
    )


def test_a_chain_that_did_not_end_is_found(plan, tasks):
    found = verdict.judge(plan, tasks, story()[:5])

    assert found.order == ["a chain ended at step 1 of 2"]


@pytest.mark.parametrize(
    ("place", "event"),
    [
        (5, task("claimed", SECOND, "berta")),
        (5, chain("acquired", "berta", was="operator")),
        (2, chain("acquired", "berta")),
    ],
    ids=["a claim by another", "two owners", "an owner who claimed nothing"],
)
def test_an_owner_that_should_not_be_is_found(plan, tasks, place, event):
    events = story()
    events[place] = event

    assert verdict.judge(plan, tasks, events).ownership


def test_a_step_done_in_a_chain_of_nobody_is_found(plan, tasks):
    events = story()
    del events[2]

    assert "in a chain of nobody" in verdict.judge(plan, tasks, events).ownership[0]


def test_links_tell_the_order_of_steps():
    first = work.link(CHAIN, 1, "")

    assert work.link(CHAIN, 2, first) != work.link(CHAIN, 2, "")
