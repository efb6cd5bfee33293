"""The functions of the key vault (contract 003, 5.6), each for tokens of the scope `keys`."""

import re
from typing import Any, ClassVar

from django.conf import settings
from django.db import DatabaseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import Caller, CallerKind, caller_of
from accounts.permissions import MayAdminister, NotAllowed
from accounts.scopes import Scope
from api.body import JsonDict
from api.throttling import address_of, limits
from collab import tracing
from collab.functions import THROTTLES, FunctionViewSet
from collab.serializers import refused
from problems import Forbidden, Invalid, NotFound, Problem, TooMany
from vault import audit, reading, schema, transitions
from vault.audit import By
from vault.exceptions import FORBIDDEN, NO_KEY, KeyRefused, VaultProblem
from vault.models import Operation
from vault.seals import PROD
from vault.serializers import (
    RevokeRequestSerializer,
    RotateRequestSerializer,
    SelectorRequestSerializer,
    UpsertRequestSerializer,
)

DIGITS = re.compile("[0-9]{1,10}", re.ASCII)
NEVER_IN_URLS = frozenset({"value", "ciphertext", "plaintext"})
WORDS: dict[type[Problem], str] = {Forbidden: FORBIDDEN, Invalid: KeyRefused.reason}
"""What is noted of a request that does not reach the vault. Others come and go unnoted: who they
are is not known, or they come too often, or the database is away."""


class MayUseKeys(MayAdminister):
    """Who may administer, by a token; a browser sets values, and never reads one back."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        super().has_permission(request, view)
        caller = caller_of(request)
        if caller.kind == CallerKind.LOCAL and settings.KEY_VAULT_MODE == PROD:
            raise NotAllowed("While KEY_VAULT_MODE is prod, the vault wants a token.")
        if caller.kind == CallerKind.USER and getattr(view, "action", "") == "show":
            raise NotAllowed("No browser gets a value: send a token.")
        return True

    def in_words(self, method: str, view: APIView) -> str:
        said = "Who may administer, in production not without a token"
        return f"{said}; no browser." if getattr(view, "action", "") == "show" else f"{said}."


class KeyFunction(FunctionViewSet):
    """A function of the vault. What it refuses is noted in the audit, too."""

    function_scope = Scope.KEYS
    throttle_scope = THROTTLES[Scope.KEYS]
    permission_classes = [MayUseKeys]
    operation: ClassVar[Operation]
    caller: Caller | None = None
    """Who asks, once that is known."""

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        found: Any = request.auth
        self.caller = found

    @property
    def by(self) -> By:
        """Who asks, and from where."""
        request, caller = self.request, caller_of(self.request)
        return By(
            caller.name,
            address_of(request._request),
            request.headers.get("User-Agent", ""),
            tracing.supplied(request),
            caller.token_id,
        )

    def handle_exception(self, exc: Exception) -> Response:
        known = isinstance(exc, Problem) and not isinstance(exc, (VaultProblem, NotFound))
        if known and self.action and self.caller is not None:
            exc = self._noted(exc, self.caller.counted_as)
        return super().handle_exception(exc)

    def _noted(self, exc: Exception, counted_as: str) -> Exception:
        """The problem, once noted; of a caller whom no limit has counted yet not too often."""
        reason = next((word for kind, word in WORDS.items() if isinstance(exc, kind)), "")
        try:
            if isinstance(exc, Forbidden) and counted_as:
                limits.take(self.throttle_scope, counted_as)
            if reason:
                audit.failed(self.operation, NO_KEY, by=self.by, reason=reason)
        except (TooMany, DatabaseError) as instead:
            return instead
        return exc


class UpsertViewSet(KeyFunction):
    operation = Operation.WRITE

    @schema.upsert
    def upsert(self, request: Request) -> Response:
        """Store a secret: a new key, or the next version of the key of this name."""
        given = UpsertRequestSerializer.read(request.data)
        stored = transitions.upsert(given["draft"], by=self.by)
        return Response({"key_id": stored.key_id, "version_int": stored.version})


class GetViewSet(KeyFunction):
    operation = Operation.READ

    @schema.get_by_post
    @schema.get_by_get
    def show(self, request: Request) -> Response:
        """Get a secret: that of the newest version which may be used, or of a certain one."""
        asked = request.data if request.method == "POST" else in_query(request)
        given = SelectorRequestSerializer.read(asked)
        secret = reading.read(given["selector"], by=self.by)
        return Response(
            {
                "key_id": secret.key_id,
                "version_int": secret.version,
                "value": secret.value,
                "checksum_sha256": secret.checksum,
                "expires_at": secret.expires_at,
            }
        )


class RotateViewSet(KeyFunction):
    operation = Operation.ROTATE

    @schema.rotate
    def rotate(self, request: Request) -> Response:
        """Make the next version of a key, with another secret, or the same sealed anew."""
        stored = transitions.rotate(**RotateRequestSerializer.read(request.data), by=self.by)
        return Response({"key_id": stored.key_id, "version_int": stored.version})


class RevokeViewSet(KeyFunction):
    operation = Operation.REVOKE

    @schema.revoke
    def revoke(self, request: Request) -> Response:
        """Revoke a key in all its versions, or one of these. Revoking it again changes nothing."""
        key = transitions.revoke(**RevokeRequestSerializer.read(request.data), by=self.by)
        return Response({"key_id": key.pk, "status": key.status})


def in_query(request: Request) -> JsonDict:
    """The selector that a query has. Raises Invalid where a secret is in the URL."""
    query: JsonDict = dict(request.query_params.dict())
    for name, value in query.items():
        if name.lower() in NEVER_IN_URLS:
            raise refused(name, "must not be in a URL")
        if "\0" in str(value):
            raise refused(name, "must not contain NUL")
    number = str(query.pop("version_int", ""))
    if DIGITS.fullmatch(number):
        query["version_int"] = int(number)
    elif number:
        query["version_int"] = number
    return query
