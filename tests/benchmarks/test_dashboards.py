"""What the benchmark of open dashboards reads off the wire, and what it takes for lost or late."""

import struct

import pytest

from benchmarks.coordinator import CoordinatorFailed
from benchmarks.dashboards.measure import findings
from benchmarks.dashboards.page import Message, frames, read
from benchmarks.dashboards.told import Told, judge


def frame(body, kind=0x81):
    size = len(body)
    if size < 126:
        return bytes([kind, size]) + body
    if size < 65_536:
        return bytes([kind, 126]) + struct.pack(">H", size) + body
    return bytes([kind, 127]) + struct.pack(">Q", size) + body


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
def test_a_frame_is_read_whatever_its_size_and_however_it_is_cut(size):
    sent = frame(b"x" * size) + frame(b"", 0x89)
    buffer = bytearray(sent[:-3])

    early = list(frames(buffer))
    buffer += sent[-3:]
    late = list(frames(buffer))

    assert early + late == [(0x81, b"x" * size), (0x89, b"")]
    assert not buffer


def test_of_a_message_are_read_the_cursor_the_events_and_when_they_were_made():
    text = b"""{"cursor": "12", "tasks": [{"id": "t"}], "events": [
        {"id": "11", "type": "task.claimed", "created_at": "1970-01-01T00:00:02.500000Z"}]}"""

    assert read(text) == Message(12, (11,), (2.5,), is_stale=False)
    assert read(b'{"cursor": "12"}') == Message(12, (), (), is_stale=False)
    assert read(b'{"cursor": "12", "stale": ["tasks", "events"]}').is_stale


def heard(arrived, *ids, made_at=0.0):
    return arrived, Message(max(ids), ids, (made_at,) * len(ids), is_stale=False)


def test_an_event_is_told_when_it_comes_first():
    told = judge([[heard(1.0, 1, 2), heard(5.0, 2, 3)]], [1, 2, 3])

    assert (told.median, told.worst, told.lost) == (1.0, 5.0, 0)


def test_an_event_that_one_page_never_heard_of_is_lost():
    told = judge([[heard(1.0, 1, 2)], [heard(1.0, 1)]], [1, 2])

    assert (told.pages, told.events, told.lost) == (2, 2, 1)


def test_events_before_and_after_the_measurement_do_not_count():
    told = judge([[heard(9.0, 7), heard(1.0, 8), heard(9.0, 9)]], [8])

    assert (told.worst, told.lost) == (1.0, 0)


def told_of(**changes):
    fine = {"pages": 2, "events": 3, "median": 0.4, "late": 0.9, "worst": 1.0}
    return Told(**{**fine, "lost": 0, "stale": 0, "again": 2, **changes})


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, []),
        ({"median": 1.1}, ["- told after, median"]),
        ({"late": 3.1}, ["- told after, 99th percentile"]),
        ({"lost": 1}, ["- lost, of 3 events to each"]),
        ({"stale": 1}, ["- lost, of 3 events to each"]),
        ({"median": float("inf")}, ["- told after, median"]),
    ],
)
def test_what_comes_late_or_never_is_a_target_missed(changes, missed):
    assert [one.name for one in findings(told_of(**changes)) if one.is_missed] == missed


def test_a_page_that_did_not_connect_anew_ends_the_measurement():
    with pytest.raises(CoordinatorFailed, match="1 of 2 dashboards"):
        findings(told_of(again=1))


def test_pages_that_were_told_nothing_are_late_without_end():
    assert judge([[]], [1]).median == float("inf")
