"""The page, and what it reads. `/v1/dashboard`: the snapshot that older pages read."""

from dataclasses import asdict
from uuid import UUID

import orjson
from django.contrib.auth.views import redirect_to_login
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import ensure_csrf_cookie
from rest_framework.decorators import action
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import CallerKind, caller_of
from accounts.permissions import NotAllowed
from accounts.rights import ADMINISTER, OPERATE, may_enter
from api.fields import NOBODY, identifier, job_identifier
from api.viewsets import ApiViewSet
from chains.models import Chain
from dashboard import attention, board, plot, rows, schema, things
from dashboard.counters import channels as channel_counts
from dashboard.overview import overview
from dashboard.serializers import DismissFindingRequestSerializer
from dashboard.snapshot import Snapshot
from events.words import NAMES
from jobs.models import Job
from problems import Invalid, NotFound, Unauthorized
from routing import usage
from tasks import series
from tasks.models import Channel
from tasks.states import DeadLetter

MOST_NAMED = 200
MOST_STEPS = 500
STEPS = 200
MOST_JOBS = 50
USUAL_DAYS, MOST_DAYS = 30, 366

snapshot = Snapshot()


class NothingLikeIt(NotFound):
    """There is no such thing here."""


@method_decorator(ensure_csrf_cookie, name="dispatch")
class PageView(APIView):
    """The dashboard; its scripts read everything else. Who may not look is sent to sign in."""

    renderer_classes = [TemplateHTMLRenderer]
    template_name = "dashboard/index.html"

    def get(self, request: Request) -> Response:
        words = {"events": NAMES, "causes": dict(DeadLetter.choices)}
        return Response({"caller": caller_of(request), "words": words})

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        if isinstance(exc, NotAllowed) and may_enter(self.request.user):
            return redirect("admin:index")  # where their tokens are
        if isinstance(exc, (Unauthorized, NotAllowed)):
            return redirect_to_login(self.request.get_full_path())
        return super().handle_exception(exc)


@schema.dashboard
class DashboardViewSet(ApiViewSet):
    """The snapshot that older pages read."""

    def list(self, request: Request) -> Response:
        return Response(snapshot.read())


@schema.console
class ConsoleViewSet(ApiViewSet):
    """What the page reads."""

    @action(detail=False)
    def overview(self, request: Request) -> Response:
        """Show what a page starts with, and the cursor from which to go on."""
        caller = caller_of(request)
        me = {
            "name": caller.name,
            "kind": caller.kind,
            "signed_in": caller.kind == CallerKind.USER,
            "operate": caller.may(OPERATE),
            "administer": caller.may(ADMINISTER),
        }
        return Response(overview.read() + b',"me":' + orjson.dumps(me) + b"}\n")

    @action(detail=False)
    def board(self, request: Request) -> Response:
        """Show the chains of a channel, and on the first page its other tasks in columns."""
        channel = _channel(request)
        after = request.query_params.get("after", "")
        counts = channel_counts.read().get(channel.pk, {"counts": {}})
        answer: board.BoardPage = {"channel": rows.channel(channel, dict(counts))}
        answer |= board.chains(channel.pk, after, _limit(request, board.FIRST, board.MOST))
        if not after:
            answer["columns"] = board.columns(channel.pk)
        return Response(answer)

    @action(detail=False)
    def tasks(self, request: Request) -> Response:
        """Show tasks by their ids, or a page of a column of the board."""
        asked = request.query_params
        if "ids" in asked:
            return Response({"tasks": _named_tasks(asked["ids"])})
        limit = _limit(request, board.FIRST, board.MOST)
        channel, after = _channel(request), asked.get("after", "")
        return Response(board.column(channel.pk, asked.get("column", ""), after, limit))

    @action(detail=False, url_path="chains/<uuid:chain_id>")
    def chain(self, request: Request, chain_id: UUID) -> Response:
        """Show a chain with what has become of its tasks."""
        found = rows.chains(Chain.objects.filter(pk=chain_id))
        if not found:
            raise NothingLikeIt(f"There is no chain {chain_id}.")
        return Response({"chain": found[0]})

    @action(detail=False, url_path="chains/<uuid:chain_id>/tasks")
    def steps(self, request: Request, chain_id: UUID) -> Response:
        """Show the tasks of a chain in their order."""
        if not Chain.objects.filter(pk=chain_id).exists():
            raise NothingLikeIt(f"There is no chain {chain_id}.")
        after = _whole(request, "after", 0)
        limit = _limit(request, STEPS, MOST_STEPS)
        return Response(board.steps(chain_id, after, limit))

    @action(detail=False)
    def jobs(self, request: Request) -> Response:
        """Show the jobs, the newest first."""
        after = request.query_params.get("after", "")
        newest = Job.objects.order_by("-pk")
        if after:
            newest = newest.filter(pk__lt=job_identifier(after))
        ids = list(newest.values_list("pk", flat=True)[: MOST_JOBS + 1])
        found = rows.jobs(Job.objects.counted().filter(pk__in=ids[:MOST_JOBS]).order_by("-pk"))
        more = {"next": found[-1]["id"]} if len(ids) > MOST_JOBS else {}
        return Response({"jobs": found, **more})

    @action(detail=False, url_path="tasks/<uuid:task_id>/surroundings")
    def surroundings(self, request: Request, task_id: UUID) -> Response:
        """Show a task as lists do, what it belongs to, and whether it has left a log and files."""
        found = things.surroundings(task_id)
        if found is None:
            raise NothingLikeIt(f"There is no task {task_id}.")
        return Response(found)

    @action(detail=False, url_path="agents/<name:agent_id>/work")
    def work(self, request: Request, agent_id: str) -> Response:
        """Show an agent, and what became of the tasks that it held last."""
        found = things.work(agent_id)
        if found is None:
            raise NothingLikeIt(f"There is no agent {agent_id!r}.")
        return Response(found)

    @action(detail=False)
    def find(self, request: Request) -> Response:
        """Find things by a part of their name, or by the beginning or end of their id."""
        return Response(things.find(request.query_params.get("text", "")))

    @action(detail=False)
    def usage(self, request: Request) -> Response:
        """Show what calls of language models used on each day, and the dearest of one kind."""
        by = request.query_params.get("by", "") or "provider"
        if by not in usage.GROUPS:
            raise Invalid(f"by must be one of {', '.join(usage.GROUPS)}")
        days = _whole(request, "days", USUAL_DAYS)
        if not 1 <= days <= MOST_DAYS:
            raise Invalid(f"days must be from 1 to {MOST_DAYS}")
        return Response(usage.by_day(by, days))

    @action(detail=False, methods=["post"], url_path="attention/dismiss")
    def dismiss(self, request: Request) -> Response:
        """Hide what needs a person until something new comes to it."""
        key = DismissFindingRequestSerializer.read(request.data)["key"]
        attention.dismiss(key, caller_of(request))
        return Response({"ok": True})

    @action(detail=False)
    def series(self, request: Request) -> Response:
        """Show what happened to tasks over time, of a channel or of all."""
        wanted = request.query_params.get("range", "") or "1h"
        if wanted not in series.RANGES:
            raise Invalid(f"range must be one of {', '.join(series.RANGES)}")
        channel = _channel(request).pk if request.query_params.get("channel") else None
        found = series.read(wanted, channel)
        return Response({"range": wanted, "channel": channel, **asdict(found)})

    @action(detail=False, url_path="jobs/<str:job_id>/plot")
    def plot(self, request: Request, job_id: str) -> Response:
        """Show the best value of a job over time, and along each axis of its grid."""
        job = Job.objects.filter(pk=job_identifier(job_id)).first()
        if job is None:
            raise NothingLikeIt(f"There is no job {job_id!r}.")
        [row] = rows.jobs(Job.objects.counted().filter(pk=job.pk))
        return Response({"job": row, **plot.plot(job)})


def _named_tasks(ids: str) -> list[rows.Row]:
    """The tasks of these ids, and those that are not there any more."""
    named = [identifier(text) for text in ids.split(",") if text]
    if len(named) > MOST_NAMED:
        raise Invalid(f"ids must be at most {MOST_NAMED}")
    found = board.in_this_order(named)
    there = {row["id"] for row in found}
    return [*found, *({"id": pk, "deleted": True} for pk in named if pk not in there)]


def _channel(request: Request) -> Channel:
    asked = request.query_params.get("channel", "")
    pk: UUID = identifier(asked)
    channel = Channel.objects.filter(pk=pk).first() if pk != NOBODY else None
    if channel is None:
        raise NothingLikeIt(f"There is no channel {asked!r}.")
    return channel


def _limit(request: Request, usual: int, most: int) -> int:
    asked = _whole(request, "limit", usual)
    return min(asked, most) or usual


def _whole(request: Request, name: str, usual: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise Invalid(f"{name} must be a whole number, not negative")
    return int(text)
