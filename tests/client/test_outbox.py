"""Reports on disk: kept until they are answered, sent after a restart, never in the way."""

import stat

import pytest

from coordinator_client import Coordinator, Misconfigured, Unreachable
from coordinator_client.agent import state
from coordinator_client.agent.outbox import Outbox
from tests.client.agents import ended, running_agent
from tests.coordinator_project.running import eventually, free_port

REPORT = {"task_id": "t1", "agent_id": "a", "lease_epoch": 1, "reason": "so"}


@pytest.fixture
def outbox(tmp_path):
    return Outbox(state.private(tmp_path / "reports"))


def test_a_report_outlives_its_process(outbox):
    first = outbox.add("fail", REPORT)
    second = outbox.add("release", REPORT)

    assert [(r.operation, r.arguments) for r in Outbox(outbox.folder).kept()] == [
        ("fail", REPORT),
        ("release", REPORT),
    ]
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(outbox.folder.stat().st_mode) == 0o700
    outbox.remove(first)
    assert [report.path for report in outbox.kept()] == [second.path]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"operation": "delete_job", "arguments": {"task_id": "t1"}}',
        b'{"operation": "fail", "arguments": {}}',
    ],
)
def test_a_corrupt_report_is_set_aside(outbox, content):
    outbox.add("fail", REPORT)
    (outbox.folder / "bad.json").write_bytes(content)

    assert [report.arguments for report in outbox.kept()] == [REPORT]
    assert (outbox.folder / "bad.corrupt").read_bytes() == content


def test_a_report_that_was_not_written_whole_is_none(outbox):
    (outbox.folder / ".part-1").write_bytes(b'{"operation"')

    assert outbox.kept() == []
    assert list(outbox.folder.iterdir()) == []


def test_a_report_without_an_answer_stays(outbox):
    report = outbox.add("fail", REPORT)

    nobody = Coordinator(f"http://127.0.0.1:{free_port()}", patience=0)
    with nobody as client, pytest.raises(Unreachable):
        outbox.deliver(report, client)

    assert len(outbox.kept()) == 1


def test_a_report_is_sent_at_the_next_start_and_counts(coordinator):
    with Coordinator(coordinator) as client:
        channel = client.create_channel("reports").name
        task = client.create_task("kept", channel=channel)
        found = state.take("keeper", None)
        (claimed,) = client.claim("keeper", [channel])
        Outbox(found.subfolder("reports")).add(
            "complete",
            {"task_id": task.id, "agent_id": "keeper", "lease_epoch": claimed.lease_epoch}
            | {"result": "of before"},
        )
        found.close()

        with running_agent(coordinator, channel, lambda _: "again", agent_id="keeper") as one:
            assert ended(client, task.id).result == "of before"
            eventually(lambda: one.agent.outbox.kept() == [])


def test_a_report_that_does_not_count_is_ended(coordinator, outbox):
    with Coordinator(coordinator) as client:
        channel = client.create_channel("late").name
        task = client.create_task("late", channel=channel)
        client.claim("a", [channel])
        client.cancel_task(task.id, force=True)
        late = {"task_id": task.id, "agent_id": "a", "lease_epoch": 1}
        unknown = late | {"task_id": "00000000-0000-0000-0000-000000000000"}

        for arguments in (late, unknown):
            assert outbox.deliver(outbox.add("complete", arguments), client)

    assert outbox.kept() == []


def test_an_agent_of_a_folder_is_alone():
    first = state.take("one", None)
    with pytest.raises(Misconfigured, match="runs already"):
        state.take("one", None)
    first.close()

    again = state.take("one", None)
    again.close()


def test_agents_without_an_id_take_the_first_that_is_free():
    first, second = state.take(None, None), state.take(None, None)
    second.close()
    third = state.take(None, None)

    assert first.agent_id.endswith("-1")
    assert third.agent_id == second.agent_id
    first.close()
    third.close()


def test_a_folder_of_state_is_private(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)

    state.private(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(Misconfigured):
        state.private(tmp_path / "link")
