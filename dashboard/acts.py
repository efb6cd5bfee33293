"""The verbs of the console over JSON, for the pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from django import forms
from django.db.models import Model, QuerySet
from django.utils.choices import normalize_choices
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import Caller, caller_of
from agents.models import Agent
from api.answers import filled
from api.fields import Flag, JsonObject, Text, TextList, identifier, job_identifier
from api.serializers import RequestSerializer
from chains.agent_verbs import AGENT_VERBS
from chains.channel_verbs import CHANNEL_VERBS
from chains.models import Chain
from chains.task_verbs import TASK_VERBS
from chains.verbs import CHAIN_VERBS
from console.exceptions import BadValues, VerbNotAllowed
from console.previews import foretell
from console.verbs import LONGEST_REASON, MOST, Verb, carry_out
from dashboard import schema
from jobs.models import Job
from jobs.verbs import JOB_VERBS
from problems import NotFound
from tasks.models import Channel, Task

M = TypeVar("M", bound=Model)


class NoSuchVerb(NotFound):
    """There is no such verb for objects of this kind."""


@dataclass(frozen=True)
class OfferedVerbs(Generic[M]):
    """The verbs of one kind of objects, and how an id from a page becomes a key."""

    model: type[M]
    verbs: Sequence[Verb[M]]
    key: Callable[[str], UUID | str] = identifier

    def named(self, name: str) -> Verb[M]:
        for verb in self.verbs:
            if verb.name == name:
                return verb
        raise NoSuchVerb(f"There is no verb {name!r}.")

    def preview(
        self, name: str, ids: Sequence[str], caller: Caller, values: Mapping[str, object]
    ) -> object:
        """What the verb would do, in sentences, and how many rows would refuse, and why."""
        verb = self.named(name)
        if not caller.may(verb.permission):
            raise VerbNotAllowed(f"{caller.name} may not {verb.name}.")
        rows = self.rows(verb, [self.key(text) for text in ids])
        chosen, wrong = verb.partly_cleaned(values)
        if wrong:
            return {"target": verb.target(rows), "will": [wrong], "done": 0, "refused": []}
        foretold = foretell(verb, rows, chosen)
        refused = [
            {"code": one.code, "message": one.message, "count": one.count}
            for one in foretold.refused
        ]
        return {
            "target": foretold.target,
            "will": foretold.will,
            "done": foretold.done,
            "refused": refused,
            **filled(seen=foretold.seen),
        }

    def rows(self, verb: Verb[M], keys: Sequence[UUID | str]) -> QuerySet[M]:
        if not keys and not verb.alone:
            raise BadValues("ids must not be empty")
        every = self.model._default_manager
        return every.none() if verb.alone else every.filter(pk__in=keys)

    def carry_out(
        self,
        name: str,
        ids: Sequence[str],
        caller: Caller,
        reason: str,
        values: Mapping[str, object],
        seen: str = "",
    ) -> object:
        """Use the verb on each row; how many were changed, and which ones refused and why."""
        verb = self.named(name)
        keys = {self.key(text): text for text in ids}
        rows = self.rows(verb, list(keys))
        handled = carry_out(verb, rows, caller, reason, verb.cleaned(values), seen)
        refused = [
            {"id": keys.get(key, ""), "code": problem.code, "message": problem.message}
            for key, problem in handled.refused
        ]
        found = {*handled.done, *(key for key, _ in handled.refused)}
        gone = NotFound("It is not there any more.")
        refused += [
            {"id": text, "code": gone.code, "message": gone.message}
            for key, text in keys.items()
            if key not in found and not verb.alone
        ]
        made = [str(row.pk) for row, _ in handled.made]
        more = filled(made=made, notes=handled.notes)
        return {"done": len(handled.done), "refused": refused, **more}

    def described(self, caller: Caller) -> list[dict[str, object]]:
        return [
            {
                "name": verb.name,
                "label": str(verb.label),
                "help": str(verb.help),
                "danger": verb.danger,
                "alone": verb.alone,
                "asks_reason": verb.asks_reason,
                "permission": verb.permission,
                "allowed": caller.may(verb.permission),
                "offered_when": verb.offered_when.columns,
                "fields": [_field(name, asked) for name, asked in verb.fields.items()],
            }
            for verb in self.verbs
        ]


def _itself(text: str) -> str:
    return text


KINDS: Mapping[str, OfferedVerbs] = {
    "tasks": OfferedVerbs(Task, TASK_VERBS),
    "channels": OfferedVerbs(Channel, CHANNEL_VERBS),
    "agents": OfferedVerbs(Agent, AGENT_VERBS, str),
    "chains": OfferedVerbs(Chain, CHAIN_VERBS),
    "jobs": OfferedVerbs(Job, JOB_VERBS, job_identifier),
}


class ActRequestSerializer(RequestSerializer):
    """Which objects, why, and with which values; with `preview` nothing is changed.

    `seen`, from the preview of one object: what has changed since is refused.
    """

    ids = TextList(max_items=MOST, default=list)
    reason = Text(default="", max_length=LONGEST_REASON)
    values = JsonObject(default=dict)
    preview = Flag(default=False)
    seen = Text(default="", max_length=64)


@schema.act(ActRequestSerializer)
class ActView(APIView):
    def post(self, request: Request, kind: str, name: str) -> Response:
        """Use a verb on up to 10,000 objects of a kind; with `preview`, say what it would do."""
        offered = KINDS.get(kind)
        if offered is None:
            raise NoSuchVerb(f"There are no verbs for {kind!r}.")
        data = ActRequestSerializer.read(request.data)
        caller = caller_of(request)
        if data["preview"]:
            return Response(offered.preview(name, data["ids"], caller, data["values"]))
        given = data["reason"], data["values"], data["seen"]
        return Response(offered.carry_out(name, data["ids"], caller, *given))


@schema.verbs
class VerbsView(APIView):
    def get(self, request: Request) -> Response:
        """Show all verbs, where they are offered, and which of them the caller may use."""
        caller = caller_of(request)
        return Response({kind: offered.described(caller) for kind, offered in KINDS.items()})


def _field(name: str, asked: forms.Field) -> dict[str, object]:
    """How a page shows a field."""
    described: dict[str, object] = {
        "name": name,
        "label": str(asked.label or name),
        "type": "text",
        "required": asked.required,
    }
    if asked.help_text:
        described["help"] = str(asked.help_text)
    if asked.initial not in {None, ""}:
        described["initial"] = asked.initial
    if isinstance(asked, forms.ModelChoiceField):
        of_channels = asked.queryset is not None and asked.queryset.model is Channel
        described["type"] = "channel" if of_channels else "agent"
    elif isinstance(asked, forms.ChoiceField):
        described["type"] = "choice"
        described["choices"] = [
            [str(value), str(label)] for value, label in normalize_choices(asked.choices)
        ]
    elif isinstance(asked, forms.IntegerField):
        described["type"] = "number"
    elif isinstance(asked, forms.BooleanField):
        described["type"] = "boolean"
    elif isinstance(asked.widget, forms.Textarea):
        described["type"] = "area"
    return described
