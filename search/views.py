"""`GET /api/search/docs` and `/code` (contract 003, 8.2)."""

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ownership
from accounts.callers import caller_of
from api.viewsets import ApiViewSet
from problems import Invalid
from search import answers, finding, schema
from search.finding import LONGEST, MOST, USUAL
from search.models import Kind, Source
from search.querysets import Scope


@schema.searches
class SearchViewSet(ApiViewSet):
    """Looks for documents and code. Users find what is of tasks of theirs or of nobody."""

    users_may = frozenset({"docs"})

    @action(detail=False)
    def docs(self, request: Request) -> Response:
        """Search the documents, and what tasks say and have left.

        Who may view everything finds all; users find what is of tasks of theirs or of nobody.
        """
        scope = scope_of(request, _sources(request))
        found = finding.search(_q(request), Kind.DOCS, scope, _k(request))
        return Response(answers.documents(found))

    @action(detail=False)
    def code(self, request: Request) -> Response:
        """Search the code, by functions and classes."""
        found = finding.search(_q(request), Kind.CODE, scope_of(request), _k(request))
        return Response(answers.code(found))


def scope_of(request: Request, sources: tuple[Source, ...] = tuple(Source)) -> Scope:
    """What this caller may find."""
    caller = caller_of(request)
    if ownership.is_limited(caller):
        return Scope(sources, tree=False, all_tasks=False, user_id=caller.user_id)
    return Scope(sources)


def _q(request: Request) -> str:
    text = request.query_params.get("q", "")
    if not text.strip():
        raise refused("q", "q must say what to look for")
    if len(text) > LONGEST:
        raise refused("q", f"q must not be longer than {LONGEST} characters")
    return text


def _k(request: Request) -> int:
    text = request.query_params.get("k", "") or str(USUAL)
    sound = text.isascii() and text.isdecimal() and len(text) <= 3
    if not sound or not 1 <= int(text) <= MOST:
        raise refused("k", f"k must be a whole number from 1 to {MOST}")
    return int(text)


def _sources(request: Request) -> tuple[Source, ...]:
    text = request.query_params.get("source", "")
    if not text:
        return tuple(Source)
    if text not in Source.values:
        raise refused("source", f"source must be one of {', '.join(Source.values)}")
    return (Source(text),)


def refused(name: str, message: str) -> Invalid:
    problem = Invalid(message)
    problem.details = {name: [message]}
    return problem
