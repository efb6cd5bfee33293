"""Dead letters by cause and by errors that are alike: groups of the latest ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.http import QueryDict
from django_filters import CharFilter, UUIDFilter
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api import sizes
from api.filters import ListFilters, TimeFilter, apply
from api.pagination import BadCursor, requested_size
from api.viewsets import ApiViewSet
from dashboard import rows
from dashboard.tables import errors, matching, schema
from tasks.models import Task

USUAL = 100
MOST_GROUPS = 200
MOST_CHANNELS = 20


class LetterFilters(ListFilters):
    """Filters of dead letters; all of them are asked of the latest ones."""

    channel_id = UUIDFilter()
    dead_letter = CharFilter()
    finished_after = TimeFilter(field_name="finished_at", lookup_expr="gte")
    finished_before = TimeFilter(field_name="finished_at", lookup_expr="lt")

    class Meta:
        model = Task
        fields: list[str] = []


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, as far as its group needs it."""

    id: UUID
    cause: str
    alike: str
    error: str
    finished_at: datetime
    channel_id: UUID

    @property
    def group(self) -> str:
        return errors.group_of(self.cause, self.alike)


@dataclass(frozen=True, slots=True)
class Looked:
    """The latest dead letters that match, and whether there are more than were looked at."""

    letters: Sequence[Letter]
    more: bool

    def of(self, group: str) -> "Looked":
        if not group:
            return self
        return Looked([letter for letter in self.letters if letter.group == group], self.more)


def latest(request: Request) -> Looked:
    """Those among the latest MOST dead letters that match the filters of the request."""
    query = request.query_params
    found: QuerySet[Task] = apply(LetterFilters, query, Task.objects.all()).rows
    within = _within(query, Task.objects.dead_letters())
    looked = list(within.values_list("pk", flat=True)[: matching.MOST + 1])
    shown = ("pk", "dead_letter", "error", "ends_in_it", "finished_at", "channel_id")
    read = (
        found.annotate(error=errors.ERROR, ends_in_it=errors.ENDS_IN_IT)
        .filter(pk__in=looked[: matching.MOST])
        .exclude(dead_letter="")
        .order_by("-finished_at", "pk")
        .values_list(*shown)
    )
    return Looked([_letter(*row) for row in read], len(looked) > matching.MOST)


def _within(query: QueryDict, every: QuerySet[Task]) -> QuerySet[Task]:
    """The period is a part of the order, so that one long ago is looked at as the latest is."""
    chosen = LetterFilters(query, every)
    chosen.is_valid()
    period = {"finished_after": "finished_at__gte", "finished_before": "finished_at__lt"}
    given = {
        lookup: value
        for name, lookup in period.items()
        if (value := chosen.form.cleaned_data.get(name))
    }
    return every.filter(**given)


def _letter(
    pk: UUID, cause: str, error: str, ends_in_it: bool, finished_at: datetime, channel_id: UUID
) -> Letter:
    line = errors.line_of(error, ends_in_it)
    return Letter(pk, cause, errors.pattern(line), line, finished_at, channel_id)


def groups(letters: Iterable[Letter]) -> list[rows.Row]:
    """The groups, the largest first; of each its latest letter, when it began, and its channels."""
    found: dict[str, list[Letter]] = {}
    for letter in letters:
        found.setdefault(letter.group, []).append(letter)
    largest = sorted(found.items(), key=lambda item: -len(item[1]))
    return [
        {
            "id": group,
            "dead_letter": some[0].cause,
            "error": some[0].alike,
            "count": len(some),
            "latest": some[0].id,
            "first_at": some[-1].finished_at,
            "last_at": some[0].finished_at,
            "channels": list(dict.fromkeys(letter.channel_id for letter in some))[:MOST_CHANNELS],
        }
        for group, some in largest
    ]


@schema.letters
class LetterTableViewSet(ApiViewSet):
    """Dead letters in groups, and the rows of a group."""

    def list(self, request: Request) -> Response:
        """Show the groups of the latest 10,000 dead letters that match."""
        looked = latest(request)
        found = groups(looked.letters)
        counts = {"groups": found[:MOST_GROUPS], "count": len(looked.letters)}
        return Response({**counts, "more": looked.more, "more_groups": len(found) > MOST_GROUPS})

    @action(detail=False, url_path="rows")
    def letters(self, request: Request) -> Response:
        """List the dead letters of a group, or of all, with the beginnings of their errors."""
        letters = _behind(latest(request).of(request.query_params.get("group", "")), request)
        size = requested_size(request, USUAL)
        lean = Task.objects.defer(*rows.LEFT_OUT)
        keys = [letter.id for letter in letters[:size]]
        kept = set(sizes.fitting(lean, keys))
        read = {row["id"]: row for row in rows.tasks(Task.objects.filter(pk__in=kept))}
        page = [
            read[letter.id] | {"error": letter.error} for letter in letters if letter.id in read
        ]
        last = letters[len(kept) - 1] if kept and len(kept) < len(letters) else None
        more = {"next": f"{last.finished_at.isoformat()}|{last.id}"} if last else {}
        return Response({"tasks": page, **more})

    @action(detail=False)
    def ids(self, request: Request) -> Response:
        """Show the ids of all dead letters of a group, or of all that match, up to 10,000."""
        looked = latest(request).of(request.query_params.get("group", ""))
        return Response({"ids": [letter.id for letter in looked.letters], "more": looked.more})


def _behind(looked: Looked, request: Request) -> Sequence[Letter]:
    """Those behind the last row of the page before, even if that is no dead letter any more."""
    after = request.query_params.get("after", "")
    if not after:
        return looked.letters
    try:
        at, pk = after.split("|")
        last = (datetime.fromisoformat(at), UUID(pk))
        return [
            letter
            for letter in looked.letters
            if (letter.finished_at, last[1]) < (last[0], letter.id)
        ]
    except (ValueError, TypeError):
        raise BadCursor from None
