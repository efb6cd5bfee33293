"""How the streams of a log are merged, and how it is paged and streamed."""

import json
from itertools import chain

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import AsyncClient, Client

from artifacts import reading
from artifacts.log_answers import NEXT
from artifacts.reading import Place
from tests.artifacts.calls import Runner, entry, lines, messages, refusal
from tests.artifacts.test_logs import again, finish

pytestmark = pytest.mark.django_db


def at(second, text=None):
    return entry(text or str(second), f"2026-01-31T12:00:{second}Z")


def test_two_streams_are_merged_by_time_not_by_text(runner):
    runner.send(at("01.5"), at("03"), at("03.000001"))
    runner.send(at("01.45"), at("01.500"), at("10"), stream="stderr")

    assert messages(runner.log()) == ["01.45", "01.5", "01.500", "03", "03.000001", "10"]
    assert messages(runner.log(stream="stdout")) == ["01.5", "03", "03.000001"]
    assert messages(runner.log(stream="stderr")) == ["01.45", "01.500", "10"]
    assert messages(runner.log(stream="combined")) == messages(runner.log())


def test_times_of_other_zones_are_compared_as_times(runner):
    runner.send(entry("second", "2026-01-31T13:00:01+01:00"))
    runner.send(entry("first", "2026-01-31T12:00:00Z"), stream="stderr")

    assert messages(runner.log()) == ["first", "second"]


def test_lines_of_one_stream_stay_in_the_order_in_which_they_were_sent(runner):
    runner.send(at("05", "a"), at("01", "b"))
    runner.send(at("02", "c"), at("09", "d"))
    runner.send(at("04", "x"), at("08", "y"), stream="stderr")

    assert messages(runner.log(stream="stdout")) == ["a", "b", "c", "d"]
    assert messages(runner.log()) == ["x", "a", "b", "c", "y", "d"]


def test_of_the_same_time_stdout_comes_first(runner):
    runner.send("err", stream="stderr")
    runner.send("out")

    assert messages(runner.log()) == ["out", "err"]


def test_attempts_follow_one_another(runner):
    runner.send(at("30", "late, of the first"))
    again(runner)
    runner.send(at("01", "early, of the second"))

    assert messages(runner.log()) == ["late, of the first", "early, of the second"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("ended", [True, False])
def test_pages_of_any_size_have_every_line_once(runner, limit, ended):
    for n in range(4):
        runner.send(*(at(f"{n}{k}") for k in range(0, 10, 2)))
        runner.send(*(at(f"{n}{k}") for k in range(1, 10, 2)), stream="stderr")
    again(runner)
    runner.send("of the second")
    if ended:
        finish(runner)

    found, cursor = [], ""
    for _ in range(60):
        page = runner.log(limit=limit, cursor=cursor)
        assert len(lines(page)) <= limit
        found += messages(page)
        cursor = page.headers.get(NEXT, "")
        if not cursor or not lines(page):
            break

    assert found == [*(f"{n:02}" for n in range(40)), "of the second"]
    assert bool(cursor) is not ended


def test_a_cursor_goes_on_where_the_log_has_grown(runner):
    runner.send("one")
    page = runner.log()
    assert messages(page) == ["one"]
    runner.send("two")
    runner.send("of the other", stream="stderr")

    assert messages(runner.log(cursor=page[NEXT])) == ["two", "of the other"]


def test_a_page_of_long_lines_has_fewer_of_them(runner, monkeypatch):
    monkeypatch.setattr(reading, "MOST_BYTES", 250)
    runner.send(*("x" * 100 for _ in range(8)))

    page = runner.log()

    assert len(lines(page)) == 3
    assert len(lines(runner.log(cursor=page[NEXT]))) == 3


@pytest.mark.parametrize(
    "query",
    [
        {"stream": "stdin"},
        {"format": "xml"},
        {"limit": 0},
        {"limit": 5_001},
        {"limit": "x"},
        {"limit": "9" * 40},
        {"cursor": "x"},
        {"cursor": "1.2.3"},
        {"cursor": "1.1.1.1.1.1"},
        {"cursor": "9" * 30 + ".1.1.1.1"},
        {"follow": "perhaps"},
    ],
)
def test_a_wrong_question_is_refused(runner, query):
    runner.send("one")

    assert refusal(runner.log(**query)) == (400, "invalid_request")


@pytest.mark.parametrize("cursor", ["0.0.0.0.0", "1.99.0.1.0", "1.1.99.1.0", "9.1.0.1.0"])
def test_a_forged_cursor_is_answered(runner, cursor):
    runner.send("one", "two")

    assert runner.log(cursor=cursor).status_code == 200


def test_without_a_log_there_is_none(runner):
    assert refusal(runner.log()) == (404, "not_found")


def test_one_stream_is_enough_for_a_log(runner):
    runner.send("one")

    assert lines(runner.log(stream="stderr")) == []


def test_as_text_it_is_the_lines_alone(runner):
    runner.send("one", "zwei é")

    page = runner.log(format="text")

    assert page.content.decode() == "one\nzwei é\n"
    assert page["Content-Type"] == "text/plain; charset=utf-8"
    assert page["X-Content-Type-Options"] == "nosniff"


def test_a_place_is_the_text_that_it_was():
    assert Place.parse("3.12.5.7.0") == Place(3, ((12, 5), (7, 0)))
    assert str(Place.parse("3.12.5.7.0")) == "3.12.5.7.0"


@pytest.mark.django_db(transaction=True)
class TestStreams:
    """By Django's asynchronous client, as a server has it."""

    async def whole(self, runner, **query):
        response = await AsyncClient().get(f"{runner.path}/logs", query)
        assert response.status_code == 200
        return b"".join([part async for part in response.streaming_content])

    @pytest.fixture
    def runner(self):
        runner = Runner(Client())
        for n in range(3):
            runner.send(*(at(f"{n}{k}") for k in range(10)))
        return runner

    @pytest.fixture(autouse=True)
    async def _no_connection_is_left(self):
        yield
        await sync_to_async(lambda: connection.close())()

    async def test_without_a_limit_it_is_the_whole_log(self, runner):
        found = json.loads(await self.whole(runner))

        assert [line["message"] for line in found] == [f"{n:02}" for n in range(30)]
        assert (await self.whole(runner, format="text")).decode().split() == [
            f"{n:02}" for n in range(30)
        ]

    async def test_an_empty_stream_is_an_empty_list(self, runner):
        assert json.loads(await self.whole(runner, stream="stderr")) == []

    async def test_what_is_left_out_is_said_at_the_end(self, runner, settings):
        settings.LOG_MAX_BYTES = 1
        await sync_to_async(runner.send)("too large", stream="stderr")
        settings.LOG_MAX_BYTES = 1_000

        found = json.loads(await self.whole(runner))

        assert found[-1]["message"] == "… 10 bytes were left out"
        assert [line["message"] for line in found[:-1]] == list(
            chain.from_iterable([f"{n}{k}" for k in range(10)] for n in range(3))
        )
