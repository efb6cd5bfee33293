"""Batches of a log: taken in once, in order, from who holds the task."""

import gc
import json
import shutil

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db.models.functions import Now
from rest_framework.request import Request

from artifacts import logs, removals, store
from artifacts.exceptions import StoreAway
from artifacts.models import LogBatch, Removal
from tasks import leases, reports, retention, secrets
from tasks.rows import Outcome
from tests.api_v1.calls import UNKNOWN
from tests.artifacts.calls import (
    NOON,
    Runner,
    entry,
    files_in,
    lines,
    messages,
    refusal,
    swept,
)
from tests.factories import fresh, give, let_lease_run_out, make_held_task

pytestmark = pytest.mark.django_db


def test_what_is_sent_is_shown(runner):
    sent = runner.send("one", entry("two", "2026-01-31T13:00:00.5+01:00"))

    assert (sent.status_code, sent.json()) == (200, {"accepted_sequence": 1})
    line = {"stream": "stdout", "attempt": 1}
    assert lines(runner.log()) == [
        line | {"timestamp": "2026-01-31T12:00:00.000000Z", "message": "one"},
        line | {"timestamp": "2026-01-31T12:00:00.500000Z", "message": "two"},
    ]


def test_the_same_batch_again_changes_nothing(runner, folder):
    for _ in range(3):
        assert runner.send("one", sequence=1).status_code == 200

    assert messages(runner.log()) == ["one"]
    assert len(files_in(folder)) == 1


def test_other_content_under_a_known_number_is_a_conflict(runner):
    runner.send("one", sequence=1)

    for other in (
        runner.send("other", sequence=1),
        runner.send(entry("one", "2026-02-01T00:00Z"), sequence=1),
    ):
        assert refusal(other) == (409, "sequence_used")
    assert messages(runner.log()) == ["one"]


@pytest.mark.parametrize("sequence", [2, 3, 2**63 - 1])
def test_a_gap_is_a_conflict(runner, sequence):
    assert refusal(runner.send("late", sequence=sequence)) == (409, "sequence_gap")
    assert not LogBatch.objects.exists()


def test_each_stream_has_numbers_of_its_own(runner):
    for stream in ("stdout", "stderr"):
        assert runner.send("one", stream=stream, sequence=1).status_code == 200

    assert messages(runner.log(stream="stderr")) == ["one"]


def test_each_lease_has_numbers_of_its_own(runner):
    runner.send("of the first")
    again(runner)

    assert runner.send("of the second", sequence=1).status_code == 200
    assert [(line["attempt"], line["message"]) for line in lines(runner.log())] == [
        (1, "of the first"),
        (2, "of the second"),
    ]


def again(runner):
    """The lease ends, and the agent claims the task anew."""
    let_lease_run_out(runner.task)
    leases.expire_leases()
    give(fresh(runner.task.agent), runner.task.channel, lease_seconds=60)
    runner.now()


def test_who_does_not_hold_the_task_adds_nothing(runner):
    other = make_held_task()

    for more in ({"agent_id": other.agent_id}, {"lease_epoch": 2}):
        status, code = refusal(runner.send("one", sequence=1, **more))
        assert (status, code) in {(409, "conflict"), (409, "lease_lost")}
    again(runner)
    assert refusal(runner.send("late", lease_epoch=1)) == (409, "lease_lost")
    assert not LogBatch.objects.exists()


def test_nobody_adds_to_a_task_that_is_done_or_unknown(runner):
    runner.send("one")
    finish(runner)

    assert refusal(runner.send("two"))[0] == 409
    runner.task.pk = UNKNOWN
    assert refusal(runner.send("two"))[0] == 404


def finish(runner):
    done = Outcome(runner.task.pk, True, epoch=runner.task.lease_epoch)
    reports.report_one(done, agent_id=runner.task.agent_id, by="tests")


@pytest.mark.parametrize(
    "wrong",
    [
        {"stream": "stdin"},
        {"stream": ""},
        {"sequence": 0},
        {"sequence": "1"},
        {"sequence": 2**63},
        {"lease_epoch": None},
        {"agent_id": ""},
        {"entries": []},
        {"entries": {}},
        {"entries": ["text"]},
        {"entries": [{"at": NOON}]},
        {"entries": [{"at": NOON, "message": 1}]},
        {"entries": [{"message": "x"}]},
        {"entries": [entry("x", "2026-01-31T12:00:00")]},
        {"entries": [entry("x", "0001-01-01T00:00:00+10:00")]},
        {"entries": [entry("x", "noon")]},
        {"entries": [entry("x")] * 5_001},
    ],
)
def test_a_wrong_batch_is_refused(runner, wrong, folder):
    assert runner.send("one", **({"sequence": 1} | wrong)).status_code == 400
    assert not folder.exists()


def test_a_message_is_at_most_256_kib(runner):
    assert runner.send("é" * 128 * 1024).status_code == 200
    assert refusal(runner.send("é" * 128 * 1024 + "x")) == (413, "payload_too_large")


def test_what_no_text_may_have_is_shown_in_its_place(runner):
    raw = json.dumps({**runner.me, "stream": "stdout", "sequence": 1, "entries": [entry("@@")]})
    sent = runner.client.post(
        f"{runner.path}/logs", raw.replace("@@", "a\\u0000b\\ud800c"), "application/json"
    )

    assert sent.status_code == 200
    assert messages(runner.log()) == ["a␀b\N{REPLACEMENT CHARACTER}c"]


def test_secrets_of_the_task_are_never_stored(runner, folder):
    secrets.keep(runner.task.pk, {"TOKEN": "sesame"})
    for _ in range(2):
        assert runner.send("open sesame", sequence=1).status_code == 200

    assert messages(runner.log()) == ["open [REDACTED]"]
    [name] = files_in(folder)
    assert b"sesame" not in (folder / name).read_bytes()


def test_a_log_that_is_too_large_says_how_much_is_missing(runner, settings, folder):
    settings.LOG_MAX_BYTES = 700
    for text in ("12345", "too large", "x", "y"):
        assert runner.send(text).status_code == 200
    assert runner.send("z", stream="stderr").status_code == 200
    for again_ in (runner.send("y", sequence=4), runner.send("x", sequence=3)):
        assert again_.status_code == 200
    assert refusal(runner.send("other", sequence=4)) == (409, "sequence_used")
    assert refusal(runner.send("late", sequence=6)) == (409, "sequence_gap")

    assert LogBatch.objects.count() == 3
    assert len(swept(folder)) == 1
    finish(runner)
    assert messages(runner.log(stream="stdout")) == ["12345", "… 14 bytes were left out"]
    assert messages(runner.log()) == ["12345", "… 16 bytes were left out"]


def test_what_a_line_costs_in_the_store_counts_and_not_its_text_alone(runner, settings, folder):
    settings.LOG_MAX_BYTES = 20_000
    for _ in range(20):
        assert runner.send(*[""] * 50).status_code == 200
    finish(runner)

    kept = sum((folder / name).stat().st_size for name in swept(folder))
    assert 10_000 < kept < 20_000
    assert 200 < len(messages(runner.log())) < 400
    assert messages(runner.log())[-1].endswith("bytes were left out")


def test_what_a_batch_costs_counts_too(runner, settings):
    settings.LOG_MAX_BYTES = 10_000
    for _ in range(20):
        runner.send("")

    assert LogBatch.objects.filter(left_out=0).count() == 16


def test_the_store_away_is_503_and_the_batch_comes_again(runner, monkeypatch):
    class Away:
        async def put(self, key, parts):
            raise StoreAway

        async def get(self, key):
            raise StoreAway

    monkeypatch.setattr(store, "current", Away)
    assert refusal(runner.send("one")) == (503, "unavailable")
    assert not LogBatch.objects.exists()
    monkeypatch.undo()
    assert runner.send("one", sequence=1).status_code == 200
    monkeypatch.setattr(store, "current", Away)
    assert refusal(runner.log()) == (503, "unavailable")


def test_an_object_that_is_gone_is_503(runner, folder):
    runner.send("one")
    shutil.rmtree(folder)

    assert refusal(runner.log()) == (503, "unavailable")


def test_what_is_stored_is_announced_first(runner, monkeypatch, folder):
    """Of a crash between the object and its row, the object is removed a day later."""
    monkeypatch.setattr(logs, "_finish", crash)
    with pytest.raises(LookupError):
        runner.send("one")

    assert len(swept(folder)) == 1
    assert not LogBatch.objects.exists()
    Removal.objects.update(due_at=Now())
    assert swept(folder) == []
    assert not Removal.objects.exists()
    monkeypatch.undo()
    assert runner.send("one", sequence=1).status_code == 200
    assert messages(runner.log()) == ["one"]


def crash(*args):
    raise LookupError


@pytest.mark.parametrize("remove", [removals._take, removals.carry_out])
def test_what_is_being_removed_gets_no_row(runner, monkeypatch, remove):
    real = logs._finish

    def late(batch, prepared):
        Removal.objects.update(due_at=Now())
        remove()
        real(batch, prepared)

    monkeypatch.setattr(logs, "_finish", late)

    assert refusal(runner.send("one"))[0] == 409
    assert not LogBatch.objects.exists()


def test_the_log_of_a_deleted_task_goes_with_it(runner, folder):
    runner.send("one")
    runner.send("one", stream="stderr")
    finish(runner)
    kept = Runner(runner.client)
    kept.send("kept")

    retention.delete([runner.task.pk])

    assert Removal.objects.count() == 2
    assert len(swept(folder)) == 1
    assert messages(kept.log()) == ["kept"]
    assert not [p for p in folder.rglob("*") if str(runner.task.pk) in p.name]


def test_what_was_sent_does_not_stay_in_memory(runner):
    runner.send("warm")
    gc.collect()
    gc.disable()
    try:
        for n in range(3):
            runner.send(f"kept no longer: {n}")
        left = [one for one in gc.get_objects() if holds_a_body(one)]
    finally:
        gc.enable()

    assert left == []


def holds_a_body(one):
    if type(one) is Request:
        return "no longer" in str(one._full_data)
    return type(one) is WSGIRequest and b"no longer" in vars(one).get("_body", b"")
