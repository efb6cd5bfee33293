"""Both protocols of Corndogs: what is sent, what is understood, and what a bad peer does."""

import struct
import time
from uuid import UUID, uuid4

import cbor2
import pytest

from jobs.corndogs import addresses, faces
from jobs.corndogs.client import Delivery, OutsideTask
from jobs.corndogs.faces import NotLeader, Refused, Uncertain, Unreachable
from tests.jobs.corndogs.server import CborServer, HttpServer, unused_port

JOB = UUID(int=7)


def submit(client, queue="q", priority=0, job=JOB):
    return client.submit(queue, {"job_id": str(job)}, timeout=3600, priority=priority)


def test_a_task_is_submitted_taken_held_and_ended(outside, client):
    uuid = submit(client, priority=5)
    [task] = outside.store.open()
    assert (task["current_state"], task["auto_target_state"]) == ("submitted", "submitted-working")
    assert (task["timeout"], task["priority"], task["queue"]) == (3600, 5, "q")
    its = OutsideTask(str(uuid), "q")
    assert client.look(its) == "submitted"

    assert client.next(["q"], timeout=60) == Delivery(its, JOB)

    [task] = outside.store.open()
    assert (task["current_state"], task["auto_target_state"]) == ("submitted-working", "submitted")
    assert task["timeout"] == 60
    assert client.next(["q"], timeout=60) is None
    assert client.renew(its, timeout=90, priority=5)
    [task] = outside.store.open()
    assert (task["current_state"], task["auto_target_state"]) == ("submitted-working", "submitted")
    assert (task["timeout"], task["priority"]) == (90, 5)
    assert client.complete(its)
    assert not outside.store.open()
    assert client.look(its) is None
    assert not client.complete(its)
    assert not client.cancel(its)
    assert not client.renew(its, timeout=90, priority=5)


def test_a_task_is_put_back_and_cancelled(outside, client):
    its = OutsideTask(str(submit(client)), "q")
    client.next(["q"], timeout=60)

    assert client.put_back(its, timeout=3600, priority=2)

    [task] = outside.store.open()
    assert (task["current_state"], task["auto_target_state"]) == ("submitted", "submitted-working")
    assert client.cancel(its)
    assert outside.store.archived[its.uuid]["current_state"] == "canceled"


def test_the_most_urgent_comes_first_then_the_oldest(outside, client):
    jobs = [uuid4() for _ in range(4)]
    for job, priority in zip(jobs, (0, -1, 7, 0), strict=True):
        submit(client, priority=priority, job=job)

    taken = [client.next(["q"], timeout=60).job_id for _ in jobs]

    assert taken == [jobs[2], jobs[0], jobs[3], jobs[1]]


@pytest.mark.parametrize("old", [False, True])
def test_several_queues_are_asked_at_once_or_one_by_one(outside, client, old):
    outside.old = old
    submit(client, "a", job=UUID(int=1))
    submit(client, "b c/d", job=UUID(int=2))

    taken = [client.next(["none", "a", "b c/d"], timeout=60) for _ in range(3)]

    assert [one and one.job_id.int for one in taken] == [1, 2, None]
    assert taken[1].task.queue == "b c/d"


def test_what_is_not_renewed_comes_back_after_its_timeout(outside, client):
    if outside.scheme == "http":
        assert client.clean_up("q") == 0
        return
    submit(client)
    client.next(["q"], timeout=60)
    outside.store.pass_seconds(59)
    assert client.clean_up("q") == 0
    outside.store.pass_seconds(2)

    assert client.clean_up("other") == 0
    assert client.clean_up("q") == 1

    assert client.next(["q"], timeout=60).job_id == JOB


@pytest.mark.parametrize("payload", [b"\xff\x00", b"[]", b'{"job_id": 5}', b'{"job_id": "x"}', b""])
def test_a_payload_of_others_names_no_job(outside, client, payload):
    outside.store.SubmitTask(
        dict.fromkeys(("current_state", "auto_target_state"), "")
        | {"queue": "q", "timeout": 0, "priority": 0, "payload": payload}
    )

    assert client.next(["q"], timeout=60).job_id is None


def test_the_credential_is_sent_and_shown_in_no_error(outside, connected):
    outside.key = "the-key-of-the-queue"
    assert submit(connected(outside.url, key=outside.key))
    wrong = connected(outside.url, key="another-key")

    with pytest.raises(Refused) as refused:
        submit(wrong)

    assert "no such key" in str(refused.value)
    assert "another-key" not in str(refused.value)
    assert outside.url in str(refused.value)


@pytest.mark.parametrize("before", range(260, 305, 4))
def test_no_part_of_the_credential_is_left_where_what_is_said_is_cut(outside, connected, before):
    outside.refuses["SubmitTask"] = (13, f"{'x' * before}another-key")

    with pytest.raises(Refused) as refused:
        submit(connected(outside.url, key="another-key"))

    assert "another"[:4] not in str(refused.value)


def test_what_the_server_refuses_is_said(outside, client):
    outside.refuses["SubmitTask"] = (13, "the disk is full")

    with pytest.raises(Refused, match=r"refuses SubmitTask.*the disk is full"):
        submit(client)


def test_no_server_is_said_and_nothing_was_sent(outside, client):
    outside.stop()

    with pytest.raises(Unreachable, match=f"{outside.url}: Connection refused"):
        submit(client)


def test_a_name_that_cannot_be_one_is_said(outside, connected):
    with pytest.raises(Unreachable, match=r"a\.\.b"):
        submit(connected(f"{outside.scheme}://a..b:1"))


def test_a_lost_answer_is_uncertain_and_not_repeated_by_itself(outside, client):
    outside.lost.add("SubmitTask")

    with pytest.raises(Uncertain):
        submit(client)

    assert len(outside.store.named("SubmitTask")) == 1
    outside.lost.clear()
    assert submit(client)


def test_no_other_server_is_asked_after_an_answer_that_was_lost(outside, connected):
    other = type(outside)(outside.store)
    outside.lost.add("SubmitTask")
    try:
        with pytest.raises(Uncertain):
            submit(connected(outside.url, other.url))
    finally:
        other.stop()

    assert len(outside.store.named("SubmitTask")) == 1


def test_an_answer_that_is_too_long_is_not_read(outside, client, monkeypatch):
    monkeypatch.setattr(faces, "LARGEST", 1000)
    length = b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"
    outside.says = frame(b" " * 1001) if outside.scheme == "corndogs" else length + b" " * 1001

    with pytest.raises(Uncertain, match="too l"):
        submit(client)


def test_a_server_that_was_restarted_is_connected_to_anew(outside, client):
    submit(client)
    outside.stop()
    outside.start()

    assert submit(client)


def frame(content, length=None):
    return struct.pack(">I", len(content) if length is None else length) + content


def enveloped(**members):
    return frame(cbor2.dumps({"id": 1, "status": 0} | members))


NESTED = cbor2.CBORTag(24, b"\x81" * 5000)
GARBAGE = {
    "corndogs": [
        b"",
        b"\x00",
        b"HTTP/1.1 200 OK\r\n\r\n",
        frame(b"", 0xFFFFFFFF),
        frame(b"x" * 10, 11),
        frame(b""),
        frame(b"\xff\xff\xff"),
        frame(b"\x81" * 100_000),
        frame(b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff"),
        frame(cbor2.dumps([1, 2])),
        enveloped(id=2),
        enveloped(id=[]),
        enveloped(payload=NESTED),
        enveloped(payload=5),
        enveloped(payload=cbor2.CBORTag(24, "text")),
        enveloped(variant="ServiceError", payload=cbor2.CBORTag(24, b"\x05")),
    ],
    "http": [
        b"",
        b"\x00\x01\x02",
        b"HTTP/9 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
    ],
}


@pytest.mark.parametrize("place", range(16))
def test_garbage_and_silence_end_the_call_and_nothing_else(outside, client, monkeypatch, place):
    kinds = GARBAGE[outside.scheme]
    if place >= len(kinds):
        return
    monkeypatch.setattr(faces, "ANSWER_SECONDS", 0.3)
    outside.says = kinds[place]
    began = time.monotonic()

    with pytest.raises(Uncertain):
        submit(client)

    assert time.monotonic() - began < 5
    outside.says = None
    monkeypatch.setattr(faces, "ANSWER_SECONDS", 5.0)
    assert submit(client)


@pytest.mark.parametrize(
    "members", [{"status": 7}, {"status": "no"}, {"status": []}, {"status": 99, "error": b"\xff"}]
)
def test_any_status_but_zero_is_a_refusal(connected, members):
    server = CborServer()
    server.says = enveloped(**members)
    try:
        with pytest.raises(Refused, match="refuses SubmitTask"):
            submit(connected(server.url))
    finally:
        server.stop()


@pytest.mark.parametrize("status", [301, 400, 404, 500, 503])
def test_any_http_status_that_is_no_success_is_a_refusal(connected, status):
    server = HttpServer()
    server.says = f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode()
    try:
        with pytest.raises(Refused, match=f"HTTP {status}"):
            submit(connected(server.url))
    finally:
        server.stop()


def test_an_answer_in_small_pieces_has_its_time_and_no_more(outside, client, monkeypatch):
    monkeypatch.setattr(faces, "ANSWER_SECONDS", 0.5)
    head = b"HTTP/1.1 200 OK\r\nX: " if outside.scheme == "http" else frame(b"", 1000)
    outside.says = [head, *[b"y"] * 100]
    began = time.monotonic()
    with pytest.raises(Uncertain, match="it did not answer in time"):
        submit(client)
    assert time.monotonic() - began < 3


def test_servers_of_a_cluster_are_tried_in_turn(outside, connected):
    client = connected(f"{outside.scheme}://127.0.0.1:{unused_port()}", outside.url)

    assert submit(client)
    assert str(client.faces[0].address) == outside.url


def test_one_that_does_not_lead_is_left_for_the_next(outside, connected):
    leader = type(outside)(outside.store)
    outside.refuses["SubmitTask"] = (7, "not-leader leader=10.0.0.1:5080")
    try:
        assert submit(connected(outside.url, leader.url))
        with pytest.raises(NotLeader):
            submit(connected(outside.url))
    finally:
        leader.stop()
    assert len(outside.store.named("SubmitTask")) == 1


def test_addresses_say_protocol_and_port():
    assert addresses.parsed("") == ()
    assert [str(one) for one in addresses.parsed("http://corndogs/, other:81")] == [
        "http://corndogs:8080",
        "http://other:81",
    ]
    assert str(addresses.parsed("tcp://[::1]")[0]) == "corndogs://[::1]:5080"
    assert str(addresses.parsed("https://a/b/")[0]) == "https://a:443/b"


@pytest.mark.parametrize(
    "wrong",
    [
        "corndogs:5080",
        "ftp://a",
        "http://",
        "http://a:x",
        "http://a:99999",
        "corndogs://a/b",
        "http://a?b",
        "http://a, corndogs://b",
        "http://[a",
        "http://user:pass@a",
    ],
)
def test_a_wrong_address_is_refused_with_a_sentence(wrong):
    with pytest.raises(ValueError, match=r"use addresses|one protocol|CORNDOGS_API_KEY"):
        addresses.parsed(wrong)
