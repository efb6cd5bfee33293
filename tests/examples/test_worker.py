import signal

import pytest

from tests.coordinator_project.running import eventually
from tests.examples.pretender import pretending, task, working


@pytest.fixture
def coordinator():
    with pretending() as pretender:
        yield pretender


def test_its_hello_names_what_it_can_do(coordinator):
    with working(coordinator.url, "--spot-id", "spot-1", "--until-empty") as worker:
        assert worker.end() == 0

    (hello,) = coordinator.bodies_of("hello")
    (optimizer,) = hello["capabilities"]["optimizers"]
    assert hello["spotId"] == "spot-1"
    assert optimizer["algorithms"] == ["PSO", "GA", "DE"]
    assert optimizer["functions"] == ["sphere", "ackley", "rosenbrock", "rastrigin"]


def test_without_a_name_it_takes_the_one_that_it_is_given(coordinator):
    with working(coordinator.url, "--until-empty") as worker:
        assert worker.end() == 0

    assert "spotId" not in coordinator.bodies_of("hello")[0]
    assert coordinator.bodies_of("claim")[0]["spotId"] == "spot-abc"


def test_a_task_is_reported_with_its_lease_epoch_and_its_result(coordinator):
    coordinator.tasks = [[task("a", epoch=7)]]

    with working(coordinator.url, "--until-empty") as worker:
        assert worker.end() == 0

    (report,) = coordinator.bodies_of("a/complete")
    assert (report["spotId"], report["leaseEpoch"], report["iter"]) == ("spot-abc", 7, 20)
    assert report["fopt"] == report["charts"]["convergence"][-1][1] < 1
    assert len(report["bestPos"]) == 2
    assert report["runtimeMs"] >= 0


def test_once_is_one_claim_and_all_its_tasks(coordinator):
    coordinator.tasks = [[task("a"), task("b")], [task("c")]]

    with working(coordinator.url, "--once", "--batch", "2") as worker:
        assert worker.end() == 0

    assert [claim["maxTasks"] for claim in coordinator.bodies_of("claim")] == [2]
    assert coordinator.reports() == [("a", "complete"), ("b", "complete")]


def test_heartbeats_list_the_whole_batch_while_it_works(coordinator):
    coordinator.tasks = [[task("a", epoch=3), task("b", epoch=4)]]
    both = [{"id": "a", "leaseEpoch": 3}, {"id": "b", "leaseEpoch": 4}]

    with working(coordinator.url, "--batch", "2", "--slow", "60000"):
        eventually(lambda: both in [beat["tasks"] for beat in coordinator.bodies_of("heartbeat")])

    beat = next(beat for beat in coordinator.bodies_of("heartbeat") if beat["tasks"])
    assert beat["runningTasks"] == 2
    assert 0 <= beat["cpuLoad"] <= 100


def test_a_task_that_was_lost_is_dropped_without_a_report(coordinator):
    coordinator.tasks = [[task("a"), task("b", iterations=5)]]
    coordinator.heartbeat_answer = {"lost": ["a"]}

    with working(coordinator.url, "--batch", "2", "--slow", "1000", "--until-empty") as worker:
        assert worker.end() == 0

    assert coordinator.reports() == [("b", "complete")]


def test_a_lease_that_was_lost_does_not_end_a_later_one(coordinator):
    coordinator.tasks = [[task("a", epoch=1)]]
    coordinator.heartbeat_answer = {"lost": ["a"]}

    with working(coordinator.url, "--slow", "1000") as worker:
        eventually(lambda: "dropped" in worker.output)
        coordinator.heartbeat_answer = {}
        coordinator.tasks = [[task("a", epoch=2)]]
        (report,) = eventually(lambda: coordinator.bodies_of("a/complete"))

    assert report["leaseEpoch"] == 2


def test_a_cancelled_task_is_given_up_for_good(coordinator):
    coordinator.tasks = [[task("a")]]
    coordinator.heartbeat_answer = {"cancelled": ["a"]}

    with working(coordinator.url, "--slow", "60000", "--once") as worker:
        assert worker.end() == 0

    (report,) = coordinator.bodies_of("a/fail")
    assert report["retriable"] is False


def test_a_draining_worker_finishes_and_claims_no_more_until_it_may(coordinator):
    coordinator.tasks = [[task("a")]]

    with working(coordinator.url, "--slow", "500"):
        eventually(lambda: coordinator.bodies_of("heartbeat")[-1:] and not coordinator.tasks)
        coordinator.heartbeat_answer = {"drain": True}
        eventually(lambda: coordinator.reports() == [("a", "complete")])
        claims = len(coordinator.bodies_of("claim"))
        beats = len(coordinator.bodies_of("heartbeat"))
        eventually(lambda: len(coordinator.bodies_of("heartbeat")) > beats + 10)
        assert len(coordinator.bodies_of("claim")) == claims
        coordinator.heartbeat_answer = {}
        coordinator.tasks = [[task("b")]]

        eventually(lambda: ("b", "complete") in coordinator.reports())


@pytest.mark.parametrize("trouble", [503, 429, None], ids=["an error", "too many", "no answer"])
def test_a_request_without_a_response_is_sent_again(coordinator, trouble):
    coordinator.trouble = [trouble]
    coordinator.tasks = [[task("a")]]

    with working(coordinator.url, "--slow", "300", "--once") as worker:
        eventually(lambda: not coordinator.tasks)
        coordinator.trouble = [trouble] * 3
        assert worker.end() == 0

    assert not coordinator.trouble
    assert coordinator.reports() == [("a", "complete")]


def test_a_report_that_is_refused_is_dropped(coordinator):
    coordinator.tasks = [[task("a"), task("b")]]
    coordinator.refused = {"a": 409}

    with working(coordinator.url, "--batch", "2", "--once") as worker:
        assert worker.end() == 0

    assert coordinator.reports() == [("a", "complete"), ("b", "complete")]
    assert "a is dropped: 409" in worker.output


def test_unknown_and_wrong_tasks_fail_and_it_goes_on(coordinator):
    broken = {"id": "c", "payload": "[", "leaseEpoch": 1}
    coordinator.tasks = [[task("a", alg="ABC"), task("b", agents=0), broken, task("d")]]

    with working(coordinator.url, "--batch", "4", "--once") as worker:
        assert worker.end() == 0

    (unknown,), (wrong,) = coordinator.bodies_of("a/fail"), coordinator.bodies_of("b/fail")
    assert (unknown["failureReason"], unknown["retriable"]) == ("UNSUPPORTED", True)
    assert (wrong["failureReason"], wrong["retriable"]) == ("RUNTIME_ERROR", False)
    assert coordinator.reports()[2:] == [("c", "fail"), ("d", "complete")]


def test_a_refused_worker_ends_and_does_not_log_its_key(coordinator):
    coordinator.trouble = [401]

    with working(coordinator.url, ORHESTRA_AGENT_KEY="open sesame") as worker:
        assert worker.end() == 1

    assert "401" in worker.output
    assert "sesame" not in worker.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_it_finish_the_task_and_gives_back_the_rest(coordinator, number):
    coordinator.tasks = [[task("a"), task("b")]]

    with working(coordinator.url, "--batch", "2", "--slow", "1000") as worker:
        eventually(lambda: any(beat["tasks"] for beat in coordinator.bodies_of("heartbeat")))
        worker.process.send_signal(number)
        assert worker.end() == 0

    assert coordinator.reports() == [("a", "complete"), ("b", "fail")]
    assert coordinator.bodies_of("b/fail")[0]["retriable"] is True


def test_a_task_that_takes_longer_than_the_grace_is_given_back(coordinator):
    coordinator.tasks = [[task("a")]]

    with working(coordinator.url, "--slow", "60000", "--grace", "0.2") as worker:
        eventually(lambda: any(beat["tasks"] for beat in coordinator.bodies_of("heartbeat")))
        worker.process.send_signal(signal.SIGTERM)
        assert worker.end() == 0

    (report,) = coordinator.bodies_of("a/fail")
    assert report["retriable"] is True


def test_it_does_not_wait_for_ever_for_a_coordinator_when_it_has_to_stop():
    with working("http://127.0.0.1:1", "--grace", "0.1") as worker:
        eventually(lambda: "trying again" in worker.output)
        worker.process.send_signal(signal.SIGTERM)

        assert worker.end() == 1
    assert "Traceback" not in worker.output
