"""What people did: each use of a verb, however many rows it was used on, is one entry.

The rows of a use have the id of its request in common. The first of them stands for it in the
list, so that each use is listed once, and the latest come first, also where some went on at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection
from django.http import QueryDict
from django_filters import CharFilter
from rest_framework.request import Request
from rest_framework.response import Response

from api import sizes
from api.answers import filled
from api.filters import FlagFilter, ListFilters, TimeFilter
from api.pagination import BadCursor, requested_size
from api.viewsets import ApiViewSet
from console import kinds
from dashboard import rows
from dashboard.tables import schema
from events import bounds
from events.models import OperatorAction
from events.querysets import NEAR
from problems import Invalid, NotFound

USUAL = 50
LOOKS = (500, 20_000)
"""Rows that are looked through for a page; a verb is used on 10,000 at most."""
MOST_NAMED = 3
LONGEST_ID = 18  # digits
APART = bounds.EXTENDED + timedelta(minutes=5)
"""A row is of the time at which its transaction began; none lives so long."""

# Those among the latest rows that are the first of their use; above them, where looking has ended.
HEADS = """
WITH looked AS MATERIALIZED (
  SELECT id, request_id, verb, created_at, refused FROM events_operatoraction
  WHERE id < %(before)s AND id >= %(since)s
    AND (%(actor)s::text IS NULL OR actor = %(actor)s)
    AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  ORDER BY id DESC LIMIT %(look)s),
first AS (
  SELECT min(id) AS id FROM looked
  GROUP BY CASE request_id WHEN '' THEN id::text ELSE request_id END)
SELECT COALESCE(min(id), 0) AS id, '' AS request_id, count(*) AS looked FROM looked
UNION ALL
SELECT l.id, l.request_id, 0 FROM looked l JOIN first USING (id)
WHERE (l.request_id = '' OR l.id = (
    SELECT o.id FROM events_operatoraction o
    WHERE o.request_id = l.request_id AND o.request_id <> '' ORDER BY o.id LIMIT 1))
  AND (%(verb)s::text IS NULL OR l.verb = %(verb)s)
  AND (%(after)s::timestamptz IS NULL OR l.created_at >= %(after)s)
  AND (%(until)s::timestamptz IS NULL OR l.created_at < %(until)s)
  AND (NOT %(refused)s OR l.refused <> '' OR (
    SELECT o.id FROM events_operatoraction o
    WHERE o.request_id = l.request_id AND o.request_id <> '' AND o.refused <> ''
    LIMIT 1) IS NOT NULL)
ORDER BY looked DESC, id DESC"""

# Who sends all requests with one id gets no count without end.
USES = """
SELECT h.id, n.count, n.refused, n.last_at, n.named
FROM unnest(%(heads)s::bigint[], %(requests)s::text[]) h (id, request)
CROSS JOIN LATERAL (
  SELECT count(*) AS count, count(*) FILTER (WHERE o.refused <> '') AS refused,
    max(o.created_at) AS last_at, (array_agg(o.object_id ORDER BY o.id))[1:%(named)s] AS named
  FROM (
    (SELECT id, created_at, object_id, refused FROM events_operatoraction
     WHERE h.request <> '' AND request_id = h.request AND request_id <> ''
     ORDER BY id LIMIT %(most)s)
    UNION ALL
    SELECT id, created_at, object_id, refused FROM events_operatoraction
    WHERE h.request = '' AND id = h.id) o) n"""


class NoSuchUse(NotFound):
    """There is no such entry."""


class ActionFilters(ListFilters):
    """Filters of what people did; `refused`: where some row was."""

    actor = CharFilter()
    verb = CharFilter()
    kind = CharFilter()
    refused = FlagFilter(method="of_any_row")
    created_after = TimeFilter()
    created_before = TimeFilter()

    def of_any_row(self, rows: object, name: str, value: bool) -> object:
        return rows

    class Meta:
        model = OperatorAction
        fields: list[str] = []


def _asked(query: QueryDict) -> Mapping[str, Any]:
    """The values of the statement, of the filters of a request."""
    chosen = ActionFilters(query, OperatorAction.objects.none())
    if not chosen.is_valid():
        raise Invalid(f"{', '.join(sorted(chosen.form.errors))} cannot be read")
    given = chosen.form.cleaned_data
    after, until = given["created_after"], given["created_before"]
    every = OperatorAction.objects.all()
    return {
        "actor": given["actor"] or None,
        "kind": given["kind"] or None,
        "verb": given["verb"] or None,
        "refused": bool(given["refused"]),
        "after": after,
        "until": until,
        "since": every.last_before(after, -APART) + 1 if after else 0,
        "before": every.last_before(until, APART) + NEAR if until else 2**63 - 1,
    }


def heads(asked: Mapping[str, Any], size: int) -> tuple[list[tuple[int, str]], int | None]:
    """The first rows of uses, the latest first; and the id before which the next page begins."""
    found: list[tuple[int, str]] = []
    end = None
    for look in LOOKS:
        with connection.cursor() as cursor:
            cursor.execute(HEADS, {**asked, "look": look})
            (lowest, _, looked), *some = cursor.fetchall()
        found = [(pk, request_id) for pk, request_id, _ in some]
        end = lowest if looked == look else None
        if len(found) > size or end is None:
            break
    if len(found) > size:
        return found[:size], found[size - 1][0]
    return found, end


def uses(found: list[tuple[int, str]]) -> list[rows.Row]:
    """Each use with its first row, the number of its rows, and how many were refused."""
    asked: dict[str, Any] = {
        "heads": [pk for pk, _ in found],
        "requests": [request_id for _, request_id in found],
        "named": MOST_NAMED,
        "most": LOOKS[-1],
    }
    with connection.cursor() as cursor:
        cursor.execute(USES, asked)
        counts = {row[0]: row[1:] for row in cursor.fetchall()}
    lean = OperatorAction.objects.defer("before", "after", "message")
    first = lean.in_bulk([pk for pk, _ in found])
    titles = _titles((first[pk].kind, counts[pk][-1]) for pk, _ in found)
    shown = []
    for pk, _ in found:
        row, (count, refused, last_at, named) = first[pk], counts[pk]
        shown.append(
            {
                "id": str(pk),
                "created_at": row.created_at,
                "actor": row.actor,
                "verb": row.verb,
                "verb_label": kinds.verb_label(row.kind, row.verb),
                "kind": row.kind,
                "kind_label": kinds.name_of(row.kind),
                "reason": row.reason,
                "count": count,
                "refused": refused,
                "last_at": last_at,
                "objects": named,
                "titles": {one: titles[row.kind][one] for one in named if one in titles[row.kind]},
            }
        )
    return shown


def _titles(named: Iterable[tuple[str, Sequence[str]]]) -> Mapping[str, Mapping[str, str]]:
    """The titles of these objects by their kinds: one query for each kind."""
    by_kind: dict[str, set[str]] = {}
    for kind, ids in named:
        by_kind.setdefault(kind, set()).update(ids)
    return {kind: kinds.titles_of(kind, ids) for kind, ids in by_kind.items()}


@schema.actions
class ActionTableViewSet(ApiViewSet):
    """What people did with verbs."""

    lookup_url_kwarg = "use_id"
    lookup_value_converter = "str"

    def list(self, request: Request) -> Response:
        """List the uses of verbs, the latest first: each with the number of its rows."""
        asked = dict(_asked(request.query_params))
        if after := request.query_params.get("after", ""):
            asked["before"] = min(_number(after), asked["before"])
        found, end = heads(asked, requested_size(request, USUAL))
        more = {} if end is None else {"next": str(end)}
        return Response({"uses": uses(found) if found else [], **more})

    def retrieve(self, request: Request, use_id: str) -> Response:
        """Show the rows of a use, each with its object before and after, page by page."""
        first = OperatorAction.objects.filter(pk=_number(use_id, NoSuchUse)).first()
        if first is None:
            raise NoSuchUse(f"There is no use {use_id}.")
        of_use = OperatorAction.objects.filter(pk=first.pk)
        if first.request_id:
            of_use = OperatorAction.objects.filter(request_id=first.request_id).exclude(
                request_id=""
            )
        size = requested_size(request, USUAL)
        after = request.query_params.get("after", "")
        behind = of_use.filter(pk__gt=_number(after)) if after else of_use
        keys = list(behind.order_by("pk").values_list("pk", flat=True)[: size + 1])
        kept = sizes.fitting(OperatorAction.objects.all(), keys[:size])
        page = list(sizes.in_order(OperatorAction.objects.all(), kept))
        titles = _titles((row.kind, [row.object_id]) for row in page)
        more = {"next": str(kept[-1])} if len(kept) < len(keys) else {}
        return Response({"rows": [_row(row, titles[row.kind]) for row in page], **more})


def _row(row: OperatorAction, titles: Mapping[str, str]) -> rows.Row:
    return {
        "id": str(row.pk),
        "created_at": row.created_at,
        "kind": row.kind,
        "object_id": row.object_id,
        "before": row.before,
        "after": row.after,
        **filled(refused=row.refused, message=row.message, title=titles.get(row.object_id)),
    }


def _number(text: str, problem: type[Exception] = BadCursor) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > LONGEST_ID:
        raise problem
    return int(text)
