"""The verbs of the console over JSON, for the pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from django import forms
from django.db.models import Model
from django.utils.choices import normalize_choices
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.callers import Caller, caller_of
from agents.models import Agent
from api.fields import Flag, JsonObject, Schema, Text, TextList, identifier, job_identifier
from api.serializers import RequestSerializer
from chains.agent_verbs import AGENT_VERBS
from chains.models import Chain
from chains.verbs import CHAIN_VERBS
from console.verbs import LONGEST_REASON, Verb, carry_out
from dashboard import schema
from jobs.models import Job
from jobs.verbs import JOB_VERBS
from problems import NotFound
from tasks.channel_verbs import CHANNEL_VERBS
from tasks.models import Channel, Task
from tasks.verbs import TASK_VERBS

M = TypeVar("M", bound=Model)

MOST = 10_000


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

    def preview(self, name: str, ids: Sequence[str], values: Mapping[str, object]) -> object:
        """What the verb would do, in sentences."""
        verb = self.named(name)
        rows = self.model._default_manager.filter(pk__in=[self.key(text) for text in ids])
        return {"will": verb.preview(rows, verb.cleaned(values) if values else {})}

    def carry_out(
        self,
        name: str,
        ids: Sequence[str],
        caller: Caller,
        reason: str,
        values: Mapping[str, object],
    ) -> object:
        """Use the verb on each row; how many were changed, and which ones refused and why."""
        verb = self.named(name)
        keys = {self.key(text): text for text in ids}
        rows = self.model._default_manager.filter(pk__in=list(keys))
        handled = carry_out(verb, rows, caller, reason, verb.cleaned(values))
        refused = [
            {"id": keys[key], "code": problem.code, "message": problem.message}
            for key, problem in handled.refused
        ]
        found = {*handled.done, *(key for key, _ in handled.refused)}
        gone = NotFound("It is not there any more.")
        refused += [
            {"id": text, "code": gone.code, "message": gone.message}
            for key, text in keys.items()
            if key not in found
        ]
        return {"done": len(handled.done), "refused": refused}

    def described(self, caller: Caller) -> list[dict[str, object]]:
        return [
            {
                "name": verb.name,
                "label": str(verb.label),
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
    """Which objects, why, and with which values; with `preview` nothing is changed."""

    one_of: ClassVar[Mapping[str, Sequence[str]]] = {"ids must not be empty": ("ids",)}
    ids = TextList(max_items=MOST)
    reason = Text(default="", max_length=LONGEST_REASON)
    values = JsonObject(default=dict)
    preview = Flag(default=False)

    def rules(self) -> Schema:
        why = {"required": ["reason"], "properties": {"reason": Text().given()}}
        preview = {"required": ["preview"], "properties": {"preview": Flag().given()}}
        return {"allOf": [super().rules(), {"anyOf": [why, preview]}]}


@schema.act(ActRequestSerializer)
class ActView(APIView):
    def post(self, request: Request, kind: str, name: str) -> Response:
        """Use a verb on up to 10,000 objects of a kind; with `preview`, say what it would do."""
        offered = KINDS.get(kind)
        if offered is None:
            raise NoSuchVerb(f"There are no verbs for {kind!r}.")
        data = ActRequestSerializer.read(request.data)
        if data["preview"]:
            return Response(offered.preview(name, data["ids"], data["values"]))
        caller = caller_of(request)
        return Response(
            offered.carry_out(name, data["ids"], caller, data["reason"], data["values"])
        )


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
    if isinstance(asked, forms.ModelChoiceField):
        described["type"] = "agent"
    elif isinstance(asked, forms.ChoiceField):
        described["type"] = "choice"
        described["choices"] = [
            [str(value), str(label)] for value, label in normalize_choices(asked.choices)
        ]
    elif isinstance(asked, forms.IntegerField):
        described["type"] = "number"
    elif isinstance(asked, forms.BooleanField):
        described["type"] = "boolean"
    return described
