"""Authentication of every request, in one place."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from rest_framework.authentication import CSRFCheck

from accounts import callers, credentials, protected
from accounts.models import User
from accounts.permissions import OPERATE, VIEW
from problems import Forbidden, Problem, Unauthorized, http

ResponseOrAwaitable = HttpResponseBase | Awaitable[HttpResponseBase]

PUBLIC = frozenset({"/health", "/api/v1/health", "/api/v1/health/"})
PAGES = frozenset({"/"})  # an unauthenticated visitor is sent from here to the login page
SPOTS = "/internal/"
SIGNS_IN_BY_ITSELF = (
    "/admin/",
    "/login",
    "/logout",
    "/password",
    "/i18n/",
    "/jsi18n/",
    settings.STATIC_URL,
)
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class NotAllowed(Forbidden):
    """This user may view the console, but not operate."""

    code = "not_allowed"


class CrossSite(Forbidden):
    """A signed-in browser must send the CSRF token with every change."""

    code = "csrf_failed"


@sync_and_async_middleware
def know_the_caller(
    get_response: Callable[[HttpRequest], ResponseOrAwaitable],
) -> Callable[[HttpRequest], ResponseOrAwaitable]:
    """Set the caller of a request, or answer 401 or 403.

    Tried in this order: the SPOTs' key, which is required on their paths if one is set; a token,
    which needs no database; the session of a user who may view the console and, for unsafe
    methods, operate; loopback, while no credential has been issued. While none has been issued, a
    token in the request is ignored.
    """
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            try:
                if not _by_secret(request) and not await _by_session_async(request):
                    _by_place(request)
            except Problem as problem:
                return _turn_away(request, problem)
            response: HttpResponseBase = await get_response(request)
            return response

        return answer_async

    def answer(request: HttpRequest) -> ResponseOrAwaitable:
        try:
            if not _by_secret(request) and not _by_session(request):
                _by_place(request)
        except Problem as problem:
            return _turn_away(request, problem)
        return get_response(request)

    return answer


def _turn_away(request: HttpRequest, problem: Problem) -> HttpResponse:
    if isinstance(problem, Unauthorized) and request.path in PAGES:
        return redirect_to_login(request.get_full_path())
    return http.respond(request, problem)


def _by_secret(request: HttpRequest) -> bool:
    if settings.ORHESTRA_AGENT_KEY and request.path.startswith(SPOTS):
        return _by_agent_key(request)
    return _by_token(request)


def _by_agent_key(request: HttpRequest) -> bool:
    given = request.META.get("HTTP_X_ORHESTRA_KEY", "")
    if not credentials.is_agent_key(given.encode("latin-1", "replace")):
        raise Unauthorized("Send the agent key as 'X-Orhestra-Key'.")
    callers.remember(request, callers.AGENT_KEY)
    return True


def _by_token(request: HttpRequest) -> bool:
    if not any(credentials.is_shared_token(secret) for secret in credentials.offered(request)):
        return False
    callers.remember(request, callers.TOKEN)
    return True


def _by_session(request: HttpRequest) -> bool:
    return _has_session(request) and _has_rights(request, request.user)


async def _by_session_async(request: HttpRequest) -> bool:
    if not _has_session(request):
        return False
    # Permissions are read from the database, which an event loop must not wait for.
    return await sync_to_async(_has_rights)(request, await request.auser())


def _has_session(request: HttpRequest) -> bool:
    """Public paths ignore sessions, so that they answer while the database is away."""
    return request.path not in PUBLIC and settings.SESSION_COOKIE_NAME in request.COOKIES


def _has_rights(request: HttpRequest, user: User | AnonymousUser) -> bool:
    if not isinstance(user, User) or not user.is_active:
        return False
    caller = callers.of_user(user)
    if not caller.may(VIEW):
        return False
    if request.method not in SAFE and not _signs_in_by_itself(request):
        _check_csrf(request)
        if not caller.may(OPERATE):
            raise NotAllowed(f"{user.get_username()} may view the console, but not operate.")
    callers.remember(request, caller)
    return True


def _check_csrf(request: HttpRequest) -> None:
    """Django's own check, which is off for API views because callers with tokens use them too."""
    check = CSRFCheck(_any_view)
    check.process_request(request)
    if reason := check.process_view(request, _any_view, (), {}):
        raise CrossSite(str(reason))


def _any_view(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse()


def _by_place(request: HttpRequest) -> None:
    """Without a credential: allow public paths, and this machine in protected mode."""
    if request.path in PUBLIC:
        return
    if credentials.issued():
        if _signs_in_by_itself(request):
            return
        raise Unauthorized("Send a token as 'Authorization: Bearer <token>' or 'X-Api-Key'.")
    protected.check(request)
    callers.remember(request, callers.LOCAL)


def _signs_in_by_itself(request: HttpRequest) -> bool:
    return request.path.startswith(SIGNS_IN_BY_ITSELF)
