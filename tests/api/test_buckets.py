"""Token buckets: one process, several, and callers who meet at one place."""

import copy
import os
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import buckets
from api.buckets import Buckets, Rate

ARRIVALS = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.integers(0, 2)), min_size=1, max_size=60
)  # seconds since the one before, and the process that it comes to


def joined(first, column):
    """The same buckets, as another process sees them."""
    other = copy.copy(first)
    other.column = column
    other.lock = threading.Lock()
    return other


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5/s", Rate(5, 1)),
        ("300/m", Rate(300, 60)),
        ("7/h", Rate(7, 3600)),
        ("1/d", Rate(1, 86400)),
    ],
)
def test_a_rate_is_written_as_rest_framework_does(text, rate):
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("text", ["", "5", "0/s", "-1/s", "5/w", "5/sec", "1.5/s", "5/s ", "x/s"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        Rate.parse(text)


def test_a_full_bucket_lets_in_as_many_as_it_holds_and_says_how_long_to_wait():
    bucket = Buckets(Rate(3, 60.0))

    assert [bucket.take("a", 100.0) for _ in range(3)] == [None, None, None]
    refusal = bucket.take("a", 100.0)

    assert (refusal.wait, refusal.reset) == (20.0, 60.0)
    assert bucket.take("a", 119.9) is not None
    assert bucket.take("a", 120.1) is None
    assert bucket.take("a", 120.2) is not None


def test_what_is_refused_costs_no_token():
    bucket = Buckets(Rate(1, 10.0))
    bucket.take("a", 100.0)

    for second in range(101, 110):
        assert bucket.take("a", float(second)) is not None

    assert bucket.take("a", 110.1) is None


def test_callers_have_buckets_of_their_own():
    bucket = Buckets(Rate(1, 60.0))

    assert bucket.take("a", 100.0) is None
    assert bucket.take("b", 100.0) is None
    assert bucket.take("a", 101.0) is not None


@given(arrivals=ARRIVALS, limit=st.integers(1, 6))
def test_several_processes_are_one_bucket(arrivals, limit):
    rate, each = Rate(limit, 4.0), 4.0 / limit
    first = Buckets(rate, processes=3)
    processes = [first, joined(first, 1), joined(first, 2)]
    tokens, then, now = float(limit), 50.0, 50.0

    for pause, place in arrivals:
        now += pause
        tokens, then = min(limit, tokens + (now - then) / each), now
        if abs(tokens - round(tokens)) < 1e-6:
            now += 1e-3  # neither side may be decided by the last digit of a float
            tokens, then = min(limit, tokens + 1e-3 / each), now
        admitted = tokens >= 1
        tokens -= admitted

        assert (processes[place].take("a", now) is None) == admitted


def test_callers_who_meet_at_a_place_do_not_share_it(monkeypatch):
    monkeypatch.setattr(buckets, "PLACES", buckets.PROBES)
    bucket = Buckets(Rate(2, 60.0))

    for name in "abcdefgh":
        assert bucket.take(name, 100.0) is None
        assert bucket.take(name, 100.0) is None
        assert bucket.take(name, 100.0) is not None


def test_a_place_is_free_again_once_its_bucket_is_full(monkeypatch):
    monkeypatch.setattr(buckets, "PLACES", 1)
    monkeypatch.setattr(buckets, "PROBES", 1)
    bucket = Buckets(Rate(1, 60.0))
    bucket.take("a", 100.0)

    shared = bucket.take("b", 101.0)
    later = [bucket.take("b", 161.0), bucket.take("b", 162.0), bucket.take("c", 222.0)]

    assert shared is not None  # no place is left, so both share one
    assert (later[0], later[2]) == (None, None)
    assert later[1] is not None


@pytest.fixture
def impatient():
    """Threads give way to one another as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("impatient")
def test_threads_of_a_process_lose_no_count():
    bucket = Buckets(Rate(30_000, 86_400.0))
    admitted = []

    def come():
        admitted.extend(bucket.take("a") is None for _ in range(10_000))

    threads = [threading.Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(admitted) == 30_000


def test_processes_that_were_forked_let_in_what_the_rate_says_and_one_more_for_each_other():
    processes, limit = 4, 300
    bucket = Buckets(Rate(limit, 86_400.0), processes)
    ends = [fork(bucket, column, seconds=0.5) for column in range(processes)]

    admitted = sum(int(os.read(end, 32)) for end in ends)

    for end in ends:
        os.close(end)
        os.wait()
    assert limit <= admitted <= limit + processes - 1


def fork(bucket, column, seconds):
    """A process that takes as fast as it can; the end of a pipe that says how many it got."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        bucket.column = column
        deadline, got = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            got += bucket.take("a") is None
        os.write(theirs, str(got).encode())
        os._exit(0)
    os.close(theirs)
    return ours
