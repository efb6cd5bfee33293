"""Async views: they wait, and answer errors in the same form as the others."""

from collections.abc import Callable, Coroutine
from functools import wraps

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from problems import MethodNotAllowed, Problem, errors

View = Callable[[HttpRequest], Coroutine[object, object, HttpResponseBase]]


def answers(*methods: str) -> Callable[[View], View]:
    """Make a coroutine a view for these methods that turns Problems into answers.

    As with the other API views, middleware has done the cross-site checks.
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
