"""Each page begins where the one before ended; forged cursors are refused."""

from base64 import urlsafe_b64encode
from types import SimpleNamespace

import orjson
import pytest
from django.test import RequestFactory
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from rest_framework.request import Request

from api.pagination import MOST, KeysetPagination
from events.models import Event
from problems import Invalid, Problem

pytestmark = pytest.mark.django_db


def page(ordering=("id",), **query):
    """The rows of a page, and its cursor for the next."""
    request = Request(RequestFactory().get("/v1/events", query))
    view = SimpleNamespace(ordering=ordering, list_key="events", usual=MOST)
    keyset = KeysetPagination()
    rows = keyset.paginate_queryset(Event.objects.all(), request, view)
    return rows, keyset.next_cursor


def types_of_all_pages(ordering, limit):
    rows, cursor = page(ordering, limit=limit)
    types = [row.type for row in rows]
    while cursor:
        rows, cursor = page(ordering, limit=limit, cursor=cursor)
        assert rows
        types += [row.type for row in rows]
    return types


def make_events(n, **fields):
    Event.objects.bulk_create(Event(type=str(i), **fields) for i in range(n))


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_in_a_row_are_the_list(limit):
    make_events(7)

    assert types_of_all_pages(("id",), limit) == list("0123456")
    assert types_of_all_pages(("-id",), limit) == list("6543210")


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_rows_that_share_the_first_column_are_ordered_by_the_second(limit):
    make_events(5, created_at="2026-01-01T00:00:00Z")
    Event.objects.create(type="5", created_at="2026-01-01T00:00:00.000001Z")

    assert types_of_all_pages(("created_at", "id"), limit) == list("012345")
    assert types_of_all_pages(("-created_at", "-id"), limit) == list("543210")


def test_rows_that_come_in_front_do_not_move_the_next_page():
    make_events(4)
    _, cursor = page(("-id",), limit=2)
    make_events(3)

    rows, _ = page(("-id",), limit=2, cursor=cursor)

    assert [row.type for row in rows] == ["1", "0"]


@pytest.mark.parametrize(
    ("limit", "size"), [("", 500), ("0", 500), ("-1", 500), ("501", 500), ("9" * 30, 500), ("2", 2)]
)
def test_a_page_has_at_most_500_rows(limit, size):
    make_events(502)

    rows, cursor = page(limit=limit)

    assert len(rows) == size
    assert cursor


@pytest.mark.parametrize("limit", ["x", "1.5", "\0", "9" * 5000])
def test_a_limit_is_a_number(limit):
    with pytest.raises(Invalid, match=r"^limit must be "):
        page(limit=limit)


def cursor_of(value):
    return urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


@pytest.mark.parametrize("ordering", [("id",), ("-created_at", "id"), ("agent_id",), ("chain_id",)])
@pytest.mark.parametrize(
    "forged",
    [
        "x",
        "\0",
        "é",
        "=" * 10,
        cursor_of([]),
        cursor_of({}),
        cursor_of([0]),
        cursor_of(["0", "1"]),
        cursor_of([-1, "1"]),
        cursor_of([10**18, "1"]),
        cursor_of([0, 1]),
        cursor_of([0, ["1"]]),
        cursor_of([0, "\0"]),
        cursor_of([0, "1"] * 2),
        cursor_of([0.5, "1"]),
    ],
)
def test_a_forged_cursor_is_refused(ordering, forged):
    with pytest.raises(Invalid) as caught:
        page(ordering, cursor=forged)

    assert caught.value.code == "invalid_request"
    assert caught.value.message.startswith("cursor must be ")


@pytest.mark.parametrize(
    ("ordering", "position"),
    [
        (("id",), "one"),
        (("id",), "9" * 5000),
        (("created_at",), "now"),
        (("created_at",), "2026-01-01T00:00:00"),
        (("created_at",), "2026-13-01T00:00:00Z"),
        (("chain_id",), "no id"),
    ],
)
def test_a_position_fits_its_column(ordering, position):
    with pytest.raises(Invalid, match=r"^cursor must be "):
        page(ordering, cursor=cursor_of([0, position]))


hostile = st.text(max_size=40) | st.builds(
    cursor_of,
    st.tuples(st.integers(-5, 10**7), st.text(st.characters(codec="utf-8")) | st.none())
    | st.recursive(st.none() | st.integers(0, 2**63) | st.text("0129-: TZ+.\0"), st.lists),
) | st.builds(
    lambda position: cursor_of([0, position]),
    st.from_regex(r"-?[0-9]{1,40}", fullmatch=True)
    | st.datetimes(timezones=st.timezones()).map(str)
    | st.uuids().map(str),
)  # fmt: skip


@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(hostile, st.sampled_from([("id",), ("-created_at", "id"), ("agent_id",), ("-chain_id",)]))
def test_any_cursor_gives_a_page_or_is_refused(cursor, ordering):
    try:
        rows, _ = page(ordering, cursor=cursor)
    except Problem:
        return
    assert rows == []
