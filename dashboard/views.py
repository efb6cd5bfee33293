"""The page, and what it reads. `/v1/dashboard`: the snapshot that older pages read."""

from uuid import UUID

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe
from rest_framework.request import Request

from accounts.callers import CallerKind, caller_of
from accounts.permissions import ADMINISTER, OPERATE
from api.fields import NOBODY, identifier, job_identifier
from api.views import JsonView, dumps, reply
from chains.models import Chain
from dashboard import board, plot, rows
from dashboard.counters import channels as channel_counts
from dashboard.overview import overview
from dashboard.snapshot import Snapshot
from jobs.models import Job
from problems import Invalid, NotFound, http
from tasks.models import Channel

MOST_NAMED = 200
MOST_STEPS = 500
STEPS = 200
MOST_JOBS = 50

snapshot = Snapshot()


class NothingLikeIt(NotFound):
    """There is no such thing here."""


@require_safe
@ensure_csrf_cookie
def page(request: HttpRequest) -> HttpResponse:
    """The dashboard; its scripts read everything else."""
    return render(request, "dashboard/index.html", {"caller": caller_of(request)})


class DashboardView(JsonView):
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(snapshot.read(), content_type="application/json")


class OverviewView(JsonView):
    def get(self, request: Request) -> HttpResponse:
        caller = caller_of(request)
        me = {
            "name": caller.name,
            "kind": caller.kind,
            "signed_in": caller.kind == CallerKind.USER,
            "operate": caller.may(OPERATE),
            "administer": caller.may(ADMINISTER),
        }
        body = overview.read() + b',"me":' + orjson.dumps(me) + b"}\n"
        return HttpResponse(body, content_type=http.JSON)


class BoardView(JsonView):
    def get(self, request: Request) -> HttpResponse:
        channel = _channel(request)
        after = request.query_params.get("after", "")
        counts = channel_counts.read().get(channel.pk, {"counts": {}})
        answer: board.BoardPage = {"channel": rows.channel(channel, dict(counts))}
        answer |= board.chains(channel.pk, after, _limit(request, board.FIRST, board.MOST))
        if not after:
            answer["columns"] = board.columns(channel.pk)
        return reply(answer)


class BoardTasksView(JsonView):
    """Tasks by their ids, or a page of a column of the board."""

    def get(self, request: Request) -> HttpResponse:
        asked = request.query_params
        if "ids" in asked:
            ids = [identifier(text) for text in asked["ids"].split(",") if text]
            if len(ids) > MOST_NAMED:
                raise Invalid(f"ids must be at most {MOST_NAMED}")
            found = board.in_this_order(ids)
            there = {row["id"] for row in found}
            gone = [{"id": pk, "deleted": True} for pk in ids if pk not in there]
            return reply({"tasks": [*found, *gone]})
        limit = _limit(request, board.FIRST, board.MOST)
        after = asked.get("after", "")
        return reply(board.column(_channel(request).pk, asked.get("column", ""), after, limit))


class BoardChainView(JsonView):
    def get(self, request: Request, chain_id: UUID) -> HttpResponse:
        found = rows.chains(Chain.objects.filter(pk=chain_id))
        if not found:
            raise NothingLikeIt(f"There is no chain {chain_id}.")
        return reply({"chain": found[0]})


class StepsView(JsonView):
    def get(self, request: Request, chain_id: UUID) -> HttpResponse:
        if not Chain.objects.filter(pk=chain_id).exists():
            raise NothingLikeIt(f"There is no chain {chain_id}.")
        after = _whole(request, "after", 0)
        limit = _limit(request, STEPS, MOST_STEPS)
        return reply(board.steps(chain_id, after, limit))


class ConsoleJobsView(JsonView):
    def get(self, request: Request) -> HttpResponse:
        after = request.query_params.get("after", "")
        newest = Job.objects.order_by("-pk")
        if after:
            newest = newest.filter(pk__lt=job_identifier(after))
        ids = list(newest.values_list("pk", flat=True)[: MOST_JOBS + 1])
        found = rows.jobs(Job.objects.counted().filter(pk__in=ids[:MOST_JOBS]).order_by("-pk"))
        more = {"next": found[-1]["id"]} if len(ids) > MOST_JOBS else {}
        return reply({"jobs": found, **more})


class PlotView(JsonView):
    def get(self, request: Request, job_id: str) -> HttpResponse:
        job = Job.objects.filter(pk=job_identifier(job_id)).first()
        if job is None:
            raise NothingLikeIt(f"There is no job {job_id!r}.")
        [row] = rows.jobs(Job.objects.counted().filter(pk=job.pk))
        return HttpResponse(dumps({"job": row, **plot.plot(job)}), content_type=http.JSON)


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
