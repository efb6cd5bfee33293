"""Request bodies, declared field by field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, Self, TypeAlias

from rest_framework import serializers
from rest_framework.fields import Field, empty

from api import body, fields, marks
from api.body import BadJson, JsonDict, JsonValue, NotJson
from api.fields import Refer, Schema
from problems import Invalid, Problem

# Every declared field has a value; its type depends on the declaration.
Values: TypeAlias = dict[str, Any]


class RequestSerializer(serializers.Serializer):
    """The fields of a request. Unknown ones are ignored, names match without regard to case.

    The Problem names the first wrong field in the order of declaration. A `validate` method may
    check all fields together; it raises Problems too. `missing` is the message for an absent
    field, which differs between API families.
    """

    missing: ClassVar[str] = "{}_required"
    passed: ClassVar[frozenset[str]] = frozenset()
    """Fields, in lower case, whose texts are only passed on: what cannot be stored is marked."""
    apart: ClassVar[frozenset[str]] = frozenset()
    """Fields, in lower case, whose bodies see to that themselves."""
    incidental: ClassVar[frozenset[str]] = frozenset()
    """Fields that are ignored, not refused, when they are wrong; `ignored` says why, by name.

    Of lists the items that are right are kept.
    """
    one_of: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Fields of which at least one has to be given, by the message where none is."""

    @classmethod
    @cache
    def shared(cls) -> Self:
        """The one instance, since REST framework copies every field for each new one.

        Validation stores nothing on it, so any number of threads may use it at once.
        """
        return cls()

    @classmethod
    def read_body(cls, raw: bytes) -> Values:
        """The values of a body, parsed and checked."""
        return cls.read((marks.parse if cls.passed or cls.apart else body.parse)(raw))

    @classmethod
    def read(cls, data: JsonValue) -> Values:
        """The values of all fields, checked. null counts as an empty object."""
        return cls.shared().run_validation({} if data is None else data)

    @classmethod
    def read_many(cls, data: JsonValue, *, most: int) -> list[Values]:
        """The values of each body of a list; a Problem names the index of the wrong one."""
        if not isinstance(data, list):
            raise BadJson("The body must be a list.")
        if len(data) > most:
            raise Invalid(f"The body must not have more than {most} items.")
        return [_at(f"[{i}]", cls, item) for i, item in enumerate(data)]

    @classmethod
    def read_each(cls, place: str, data: list[JsonValue]) -> "list[Values | Refused]":
        """The values of each body of a list, or why it is wrong."""
        return [_alone(f"{place}[{i}]", cls, item) for i, item in enumerate(data)]

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return dict(self.fields)

    def run_validation(self, data: object = empty) -> Values:
        if not isinstance(data, dict):
            raise NotJson("The body must be an object.")
        left_out: dict[str, Invalid] = {}
        if isinstance(data, marks.Marked):
            spared = frozenset(name.lower() for name in self.incidental)
            data, left_out = marks.settled(data, self.passed, self.apart, spared)
        given = fields.by_name(data, self.by_name)
        values: Values = {"ignored": {}} if self.incidental else {}
        for name, field in self.by_name.items():
            try:
                if name.lower() in left_out:
                    raise left_out[name.lower()]
                values[name] = self._value(name, field, given)
            except Problem as problem:
                if name not in self.incidental:
                    problem.details = {name: [problem.message]}
                    raise
                values[name] = _usable(field, problem)
                values["ignored"][name] = problem.message
        for message, names in self.one_of.items():
            if not any(self._strict(name).is_given(values[name]) for name in names):
                raise Invalid(message)
        checked: Values = self.validate(values)
        return checked

    def rules(self) -> Schema:
        """What the API's schema says of all fields together."""
        rules = [
            {"anyOf": [_given(name, self._strict(name)) for name in names]}
            for names in self.one_of.values()
        ]
        return {"allOf": rules} if len(rules) > 1 else (rules or [{}])[0]

    def _strict(self, name: str) -> fields.Strict:
        field = self.by_name[name]
        if not isinstance(field, fields.Strict):
            raise TypeError(f"{name} does not know whether it is given")
        return field

    def _value(self, name: str, field: Field, given: JsonDict) -> object:
        try:
            return field.run_validation(given.get(name, empty))
        except fields.Missing:
            raise Invalid(self.missing.format(name)) from None
        except serializers.ValidationError as error:
            raise Invalid(f"{name} is invalid: {error}") from None


def absent(*names: str) -> Schema:
    """What the API's schema says where none of these fields may be given."""
    return {"properties": {name: {"enum": [None, "", [], {}]} for name in names}}


def _given(name: str, field: fields.Strict) -> Schema:
    return {"required": [name], "properties": {name: field.given()}}


class NestedList(fields.Strict):
    """A list of bodies of one kind.

    `alone`: a wrong one does not refuse the others; in its place stands `Refused`.
    """

    expected = "a list of objects"

    def __init__(
        self,
        kind: type[RequestSerializer],
        *,
        most: int,
        default: object = empty,
        alone: bool = False,
    ) -> None:
        super().__init__(default=default)
        self.kind = kind
        self.most = most
        self.read_one = _alone if alone else _at

    def check(self, data: object) -> object:
        if not isinstance(data, list):
            raise self.wrong_type()
        if len(data) > self.most:
            raise self.refused(f"must not have more than {self.most} items")
        places = (f"{self.field_name}[{i}]" for i in range(len(data)))
        return [self.read_one(at, self.kind, item) for at, item in zip(places, data, strict=True)]

    def schema(self, refer: Refer) -> Schema:
        return {"type": "array", "items": refer(self.kind), "maxItems": self.most}

    def given(self) -> Schema:
        return {"type": "array", "minItems": 1}


@dataclass(frozen=True, slots=True)
class Refused:
    """A body of a list that is wrong: as it was sent, and why."""

    data: JsonValue
    problem: Problem


class Nested(fields.Strict):
    """A body as a field."""

    expected = "an object"

    def __init__(self, kind: type[RequestSerializer], *, default: object = empty) -> None:
        super().__init__(default=default)
        self.kind = kind

    def check(self, data: object) -> object:
        if not isinstance(data, dict):
            raise self.wrong_type()
        return _at(f"{self.field_name}", self.kind, data)

    def schema(self, refer: Refer) -> Schema:
        return refer(self.kind)


def _usable(field: Field, problem: Problem) -> object:
    """What is left of a wrong field: the items that are right, else what stands if it is absent."""
    if isinstance(problem, fields.PartlyWrong):
        return problem.usable
    return None if field.required else field.run_validation()


def _alone(place: str, kind: type[RequestSerializer], data: JsonValue) -> Values | Refused:
    try:
        return _at(place, kind, data)
    except Problem as problem:
        return Refused(data, problem)


def _at(place: str, kind: type[RequestSerializer], data: JsonValue) -> Values:
    if not isinstance(data, dict):
        raise BadJson(f"{place} must be an object")
    try:
        return kind.shared().run_validation(data)
    except Problem as problem:
        raise type(problem)(f"{place}.{problem.message}", code=problem.code) from None
