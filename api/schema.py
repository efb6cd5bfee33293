"""The schema of the API: what drf-spectacular cannot see in our classes by itself."""

import re
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, get_doc, get_lib_doc_excludes
from drf_spectacular.utils import (
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema_serializer,
    inline_serializer,
)
from rest_framework import serializers
from rest_framework.fields import Field

from api import fields
from api.answers import AnswerSerializer, ErrorSerializer
from api.async_views import AsyncAPIView
from api.fields import Schema
from api.serializers import RequestSerializer
from api.viewsets import WITH_BODY, ApiViewSet, ListViewSet, RowViewSet
from problems.families import (
    Body,
    explained,
    family_of,
    flat,
    flat_or_worded,
    nested,
    nested_bad_request,
    worded,
)

FIRST_SENTENCE = re.compile(r".+?(?=[.:;](?:\s|$)|$)", re.DOTALL)

HEADERS: Mapping[str, str] = {
    "X-Request-Id": "The request's own, where it is printable and short; else a new one.",
    "Cache-Control": "Nobody keeps a copy of an answer.",
    "WWW-Authenticate": "How to send a credential.",
    "Retry-After": "Seconds until it is worth another try.",
}
OF_ALL = ("X-Request-Id", "Cache-Control")
OF_STATUS = {"401": ["WWW-Authenticate"], "429": ["Retry-After"], "503": ["Retry-After"]}

REFUSALS: Mapping[int, str] = {
    400: "The request is invalid; the message names the field.",
    401: "A valid credential is required.",
    403: "This caller may not do this.",
    404: "There is no such object.",
    408: "Head or body came too slowly.",
    409: "The state of the object does not allow this.",
    413: "The body, or one of its fields, is too large.",
    429: "Too many requests of this caller.",
    431: "The request line and the headers are too large.",
    503: "This is not possible just now; try again.",
}
"""What an error's status means, where the operation says nothing more particular."""


class NestedErrorSerializer(serializers.Serializer):
    """An error. Programs look at its code; `cause` is one word for what keeps the database."""

    class PartSerializer(ErrorSerializer):
        cause = serializers.CharField(required=False)

    error = extend_schema_serializer(component_name="ErrorParticulars")(PartSerializer)()


class FlatErrorSerializer(serializers.Serializer):
    """An error."""

    success = serializers.BooleanField()
    error = serializers.CharField()


class WordedErrorSerializer(serializers.Serializer):
    """An error: a word for programs, a sentence for people, and what is wrong with each field."""

    error = serializers.CharField()
    message = serializers.CharField()
    details = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), required=False
    )


class JobErrorSerializer(serializers.Serializer):
    """An error of sweeps has `success` and a sentence; one of commands a word and a `message`."""

    error = serializers.CharField()
    success = serializers.BooleanField(required=False)
    message = serializers.CharField(required=False)
    details = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), required=False
    )


class ExplainedErrorSerializer(serializers.Serializer):
    """An error: a sentence, a word for programs, and what more there is to say of it."""

    error = serializers.CharField()
    details = serializers.DictField(allow_null=True)
    code = serializers.CharField()
    hint = serializers.CharField(allow_null=True)


FORMS: Mapping[Callable[[str, str, str], Body], tuple[str, type[serializers.Serializer]]] = {
    nested: ("NestedError", NestedErrorSerializer),
    nested_bad_request: ("NestedError", NestedErrorSerializer),
    flat: ("FlatError", FlatErrorSerializer),
    flat_or_worded: ("JobError", JobErrorSerializer),
    worded: ("WordedError", WordedErrorSerializer),
    explained: ("ExplainedError", ExplainedErrorSerializer),
}
"""The forms of errors that API families have, with their names in the schema."""


class Refusal(serializers.Serializer):
    """An error in the form of the path's API family."""


class OneOrMany(serializers.Serializer):
    """A body of this kind, or a list with some."""

    kind: ClassVar[type[RequestSerializer]]
    most: ClassVar[int]


def refused(*also: int, **words: str) -> dict[int, OpenApiResponse]:
    """Errors that an operation may have besides those of all: `refused(409, s404="No agent.")`."""
    said = {int(name[1:]): text for name, text in words.items()}
    plain = {status: REFUSALS[status] for status in also}
    return {
        status: OpenApiResponse(Refusal, description=text)
        for status, text in sorted((plain | said).items())
    }


def answer(name: str, /, **members: Field) -> serializers.Serializer:
    """An answer with these members, also where its action is that of a list."""
    made = inline_serializer(name, members)
    extend_schema_serializer(many=False)(type(made))
    return made


def either(name: str, *answers: serializers.Serializer) -> PolymorphicProxySerializer:
    """One of these answers."""
    return PolymorphicProxySerializer(name, list(answers), None, many=False)


def undocumented() -> list[type]:
    """Classes whose docstrings are for those who derive from them."""
    ours = [ApiViewSet, RowViewSet, ListViewSet, AsyncAPIView, RequestSerializer, AnswerSerializer]
    return [*get_lib_doc_excludes(), *ours]


class Schema31(AutoSchema):
    """What is said of an operation: its family, its words, its errors, and who may."""

    def get_tags(self) -> list[str]:
        return [family_of(self.path).name]

    def get_operation_id(self) -> str:
        view: Any = self.view
        basename = getattr(view, "basename", None)
        if basename is None:
            return str(super().get_operation_id())
        name = f"{basename}_{view.action}".replace("-", "_")
        alike = [method for method, action in view.action_map.items() if action == view.action]
        return name if self.method.lower() in alike[:1] else f"{name}_by_{self.method.lower()}"

    def get_summary(self) -> str | None:
        view: Any = self.view
        if getattr(view, "action", "") == "list" and hasattr(view, "list_key"):
            return f"List {view.list_key.replace('_', ' ')}"
        first = FIRST_SENTENCE.match(self.get_description())
        return " ".join(first[0].split()) if first else None

    def map_parsers(self) -> list[str]:
        # The parser takes a body whatever its type says; what it reads is JSON.
        return ["application/json"]

    def get_operation(self, *args: Any, **kwargs: Any) -> Schema | None:
        operation: Schema | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        said = operation.get("description", "").rstrip()
        operation["description"] = "\n\n".join(filter(None, [said, f"**Who may:** {self.who()}"]))
        if "requestBody" in operation:
            self.require(operation["requestBody"])
        answers = operation["responses"]
        for body in answers.values():
            body["headers"] = self.headers_of() | body.get("headers", {})
        for status in self.refusals():
            if str(status) not in answers:
                answers[str(status)] = self.refusal(status)
        operation["responses"] = dict(sorted(answers.items()))
        return operation

    def require(self, body: Schema) -> None:
        """Say that a body is required; where it is not, null is as none."""
        if not getattr(self.view, "body_is_optional", False):
            body["required"] = True
            return
        for content in body["content"].values():
            content["schema"] = {"anyOf": [content["schema"], {"type": "null"}]}

    def who(self) -> str:
        """The permissions in words, as their classes have them."""
        words = [self.words_of(one) for one in self.view.get_permissions()]
        return " ".join(words) or "Everybody, without a credential."

    def words_of(self, permission: object) -> str:
        if hasattr(permission, "in_words"):
            return str(permission.in_words(self.method, self.view))
        return str(get_doc(type(permission))).partition("\n")[0]

    def refusals(self) -> list[int]:
        """The errors that an operation of this kind may have whatever it does."""
        found = [400, 408, 431]
        if self.view.get_authenticators():
            found += [401, 403, 503]
        if self.view.get_throttles():
            found.append(429)
        if self.method in WITH_BODY:
            found.append(413)
        if "{" in self.path:
            found.append(404)
        return found

    def refusal(self, status: int) -> Schema:
        """The error of this status that all operations with the same form of errors share."""
        name, _ = FORMS[family_of(self.path).error]
        said = OpenApiResponse(Refusal, description=REFUSALS[status])
        body = self._get_response_for_code(  # type: ignore[no-untyped-call]
            said, str(status), ["application/json"]
        )
        body["headers"] = self.headers_of(str(status))
        return self._shared(f"{name}{status}", ResolvedComponent.RESPONSE, body)

    def headers_of(self, status: str = "") -> Schema:
        return {name: self._header(name) for name in [*OF_ALL, *OF_STATUS.get(status, ())]}

    def _header(self, name: str) -> Schema:
        kind = "integer" if name == "Retry-After" else "string"
        said = {"description": HEADERS[name], "required": True, "schema": {"type": kind}}
        return self._shared(name, ResolvedComponent.HEADER, said)

    def _shared(self, name: str, kind: str, schema: Schema) -> Schema:
        component = ResolvedComponent(name=name, type=kind, schema=schema, object=name)
        self.registry.register_on_missing(component)
        return dict(component.ref)

    def _get_paginator(self) -> Any:
        # A page calls its rows as the view does.
        view: Any = self.view
        paginator = super()._get_paginator()  # type: ignore[no-untyped-call]
        if paginator is not None:
            paginator.key = view.list_key
        return paginator

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}{self._get_paginator().named}"


class BodyExtension(OpenApiSerializerExtension):
    """Answers have no members but those that are declared; of requests, others are ignored."""

    target_class = serializers.Serializer
    match_subclasses = True
    priority = -2  # behind what drf-spectacular has for choices of several

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        body = self.target
        schema: Schema = auto_schema._map_serializer(body, direction, bypass_extensions=True)
        if isinstance(body, RequestSerializer):
            return schema | body.rules()
        schema["additionalProperties"] = False
        for name, field in body.fields.items():
            if isinstance(field, serializers.SerializerMethodField):
                schema["properties"][name].pop("readOnly")
                if _may_be_null(getattr(body, str(field.method_name))):
                    schema["required"].remove(name)
        further = getattr(body, "further", None)
        if further is not None:
            more = auto_schema._map_serializer(further, direction)
            schema["properties"] |= more["properties"]
            schema["required"] = sorted([*schema["required"], *more.get("required", [])])
        return schema


class RefusalExtension(OpenApiSerializerExtension):
    """An error in the form of the family that the path is of."""

    target_class = Refusal

    def get_name(self, auto_schema: AutoSchema, direction: Any) -> str:
        name, _ = FORMS[family_of(auto_schema.path).error]
        return name

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        _, form = FORMS[family_of(auto_schema.path).error]
        schema: Schema = auto_schema._map_serializer(form, direction)
        return schema


class OneOrManyExtension(OpenApiSerializerExtension):
    target_class = OneOrMany
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        one = dict(auto_schema.resolve_serializer(self.target.kind, direction).ref)
        many = {"type": "array", "items": one, "minItems": 1, "maxItems": self.target.most}
        return {"oneOf": [one, many]}


class StrictFieldExtension(OpenApiSerializerFieldExtension):
    """The fields of requests; null is absent, where a field may be."""

    target_class = fields.Strict
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        def refer(kind: type[serializers.Serializer]) -> Schema:
            return dict(auto_schema.resolve_serializer(kind, direction).ref)

        schema: Schema = self.target.schema(refer)
        return schema | {"nullable": True} if schema and not self.target.required else schema


class MethodFieldExtension(OpenApiSerializerFieldExtension):
    """A field of an answer that a method gives: it is left out where it is null."""

    target_class = serializers.SerializerMethodField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        method = getattr(self.target.parent, self.target.method_name)
        schema: Schema = auto_schema._map_response_type_hint(method)
        schema.pop("nullable", None)
        return schema


def _may_be_null(method: Callable[..., object]) -> bool:
    hint = get_type_hints(method).get("return", object)
    if get_origin(hint) in {Union, UnionType}:
        return NoneType in get_args(hint)
    return hint is object
