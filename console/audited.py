"""What a person changes through the API, by the session of a browser, is in the audit too.

Agents and programs have tokens: what they do is in the journal, and costs nothing more here.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.callers import CallerKind, caller_of
from accounts.rights import SAFE_METHODS
from api import fields
from api.viewsets import ApiViewSet
from console.verbs import LONGEST_REASON, Key, Verb, snapshots
from events import audit
from events.audit import Entry
from problems import Problem

Handler = Callable[..., Response]

MADE: Mapping[str, str] = {
    "channel": "channel",
    "chain": "chain",
    "task": "task",
    "tasks": "task",
    "input": "taskinput",
    "jobId": "job",
    "id": "job",
}
"""The kind of object that an answer shows, by the name that it has there."""


class Audited(ApiViewSet):
    """A resource whose changes by people are written to the operators' audit, with them.

    `audited_as` is a verb of the room: its `lock` and `snapshot` are used. The object is named by
    the path, or by a field of the body that `audited_fields` has for the action; what the answer
    shows beside it was made.
    """

    audited_as: ClassVar[Verb[Any] | None] = None
    audited_model: ClassVar[type[Model] | None] = None
    audited_fields: ClassVar[Mapping[str, str]] = {}
    """The field that names the object of an action; `items.field`: that of each item."""
    audited_unlocked: ClassVar[frozenset[str]] = frozenset()
    """Actions that lock what comes before the object in the order of locks."""
    not_audited: ClassVar[frozenset[str]] = frozenset()
    """Actions of agents that change nothing that a person steers by."""
    made: ClassVar[Mapping[str, str]] = MADE

    def audited_key(self, text: str) -> Key:
        """The key of the object that a path or a body names so."""
        return fields.identifier(text)

    def audited_transaction(self) -> AbstractContextManager[object]:
        """What an action and its entries happen in."""
        return transaction.atomic()

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        method = str(request.method)
        if (
            method not in SAFE_METHODS
            and self.action
            and self.action not in self.not_audited
            and caller_of(request).kind is CallerKind.USER
        ):
            handler: Handler = getattr(self, method.lower())
            setattr(self, method.lower(), partial(self._audited, handler))

    def _audited(self, handler: Handler, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Do it and write the audit, in one transaction; a refusal is written as well.

        What the action did before it refused stays, as for callers that are not audited.
        """
        rows = self._objects(request)
        with self.audited_transaction():
            if rows is not None and self.audited_as and self.action not in self.audited_unlocked:
                self.audited_as.lock(rows, {})
            before = self._kept(rows)
            try:
                response = handler(request, *args, **kwargs)
            except Problem as problem:
                refused = problem
                entries = [Entry(str(key), kept, kept, problem) for key, kept in before.items()]
                self._note(request, self._kind(), entries)
            else:
                self._write(request, rows, before, response)
                return response
        raise refused

    def _objects(self, request: Request) -> QuerySet[Model] | None:
        """The rows that the path or the body names."""
        if self.audited_model is None:
            return None
        found = [*self.kwargs.values()] or _named(request.data, self._field())
        keys = [self.audited_key(str(one)) for one in found if isinstance(one, (str, UUID))]
        return self.audited_model._default_manager.filter(pk__in=keys) if keys else None

    def _field(self) -> str:
        return self.audited_fields.get(str(self.action), "")

    def _kept(self, rows: QuerySet[Model] | None) -> Mapping[Key, audit.Snapshot]:
        if rows is None or self.audited_as is None:
            return {}
        return snapshots(self.audited_as, rows.all())

    def _write(
        self,
        request: Request,
        rows: QuerySet[Model] | None,
        before: Mapping[Key, audit.Snapshot],
        response: Response,
    ) -> None:
        after = self._kept(rows)
        entries = [Entry(str(key), kept, after.get(key, {})) for key, kept in before.items()]
        if "." in self._field():  # each has an outcome of its own
            entries = [entry for entry in entries if entry.before != entry.after]
        self._note(request, self._kind(), entries)
        known = {(self._kind(), str(key)) for key in before}
        for kind, key in _made(response.data, self.made):
            if (kind, key) not in known:
                self._note(request, kind, [Entry(key)])

    def _note(self, request: Request, kind: str, entries: list[Entry]) -> None:
        reason = next(iter(_named(request.data, "reason")), None)
        text = reason.strip()[:LONGEST_REASON] if isinstance(reason, str) else ""
        if entries:
            audit.write(caller_of(request), str(self.action), kind, text, entries)

    def _kind(self) -> str:
        return (self.audited_model._meta.model_name or "") if self.audited_model else ""


def _named(data: object, field: str) -> list[object]:
    """What a body has under a name, as serializers find it."""
    if not field or not isinstance(data, dict):
        return []
    first, _, rest = field.partition(".")
    found = fields.by_name(data, {first: None}).get(first)
    if not rest:
        return [found.strip() if isinstance(found, str) else found]
    items = found if isinstance(found, list) else []
    return [one for item in items for one in _named(item, rest)]


def _made(data: object, made: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What an answer shows as made: of which kind, and its key."""
    for name, value in data.items() if isinstance(data, dict) else ():
        if name not in made:
            continue
        for one in value if isinstance(value, list) else [value]:
            key = one.get("id") if isinstance(one, dict) else one
            if isinstance(key, (str, UUID)):
                of_job = made[name] == "job"
                yield made[name], str(fields.job_identifier(str(key)) if of_job else key)
