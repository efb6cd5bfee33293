"""Views of the async lane: they wait, and answer in the same form as the others."""

from collections.abc import Callable, Coroutine
from functools import wraps

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from problems import MethodNotAllowed, Problem, errors

View = Callable[[HttpRequest], Coroutine[object, object, HttpResponseBase]]


def answers(*methods: str) -> Callable[[View], View]:
    """Make a coroutine a view for these methods, whose problems become answers.

    Like the other views of an API it leaves cross-site checks to whoever let the caller in.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        async def answer(request: HttpRequest) -> HttpResponseBase:
            if request.method not in methods:
                refused = errors.answer(request, MethodNotAllowed())
                refused["Allow"] = ", ".join(methods)
                return refused
            try:
                return await view(request)
            except (Problem, DatabaseError, InterfaceError) as problem:
                return errors.answer(request, problem)

        return answer

    return decorate
