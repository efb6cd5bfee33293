"""A body is what a request may say, declared field by field."""

from functools import cache, cached_property
from typing import Any, ClassVar, Self, TypeAlias

from rest_framework import serializers
from rest_framework.fields import Field, empty

from api import fields
from api.body import BadJson, JsonValue, NotJson
from problems import Invalid, Problem

# Every field of a body is there, holding what its declaration says; no type can tell which.
Values: TypeAlias = dict[str, Any]


class RequestSerializer(serializers.Serializer):
    """The fields of a request. Unknown ones are ignored, names match in letters of any case.

    The first field that is wrong, in the order of declaration, is named in the Problem raised.
    A `validate` method may look at all of them together; it raises Problems too. How a field that
    is missing is told depends on the API family, so a body may say.
    """

    missing: ClassVar[str] = "{}_required"

    @classmethod
    @cache
    def shared(cls) -> Self:
        """The one instance: REST framework copies every field for each new one.

        Validation keeps nothing on it, so any number of threads may use it at once.
        """
        return cls()

    @classmethod
    def read(cls, data: JsonValue) -> Values:
        """What a body says, complete and checked. null says nothing."""
        return cls.shared().run_validation({} if data is None else data)

    @classmethod
    def read_many(cls, data: JsonValue, *, most: int) -> list[Values]:
        """What each body of a list says; the Problem names the place of the one that is wrong."""
        if not isinstance(data, list):
            raise BadJson("A list is wanted.")
        if len(data) > most:
            raise Invalid(f"More than {most} items in one request.")
        return [_at(f"[{place}]", cls, item) for place, item in enumerate(data)]

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return dict(self.fields)

    def run_validation(self, data: object = empty) -> Values:
        if not isinstance(data, dict):
            raise NotJson("An object is wanted.")
        given = fields.by_name(data, self.by_name)
        values: Values = {}
        for name, field in self.by_name.items():
            try:
                values[name] = field.run_validation(given.get(name, empty))
            except fields.Missing:
                raise Invalid(self.missing.format(name)) from None
            except serializers.ValidationError as error:
                raise Invalid(f"{name}: {error}") from None
        checked: Values = self.validate(values)
        return checked


class NestedList(fields.Strict):
    """A field that holds a list of bodies of one kind."""

    wanted = "a list of objects"

    def __init__(
        self, kind: type[RequestSerializer], *, most: int, default: object = empty
    ) -> None:
        super().__init__(default=default)
        self.kind = kind
        self.most = most

    def check(self, data: object) -> object:
        if not isinstance(data, list):
            raise self.wrong_type()
        if len(data) > self.most:
            raise self.refused(f"more than {self.most} items")
        return [_at(f"{self.field_name}[{i}]", self.kind, item) for i, item in enumerate(data)]


class Nested(fields.Strict):
    """A field that holds one body."""

    wanted = "an object"

    def __init__(self, kind: type[RequestSerializer], *, default: object = empty) -> None:
        super().__init__(default=default)
        self.kind = kind

    def check(self, data: object) -> object:
        if not isinstance(data, dict):
            raise self.wrong_type()
        return _at(f"{self.field_name}", self.kind, data)


def _at(place: str, kind: type[RequestSerializer], data: JsonValue) -> Values:
    if not isinstance(data, dict):
        raise BadJson(f"{place}: an object is wanted")
    try:
        return kind.shared().run_validation(data)
    except Problem as problem:
        raise type(problem)(f"{place}.{problem.message}", code=problem.code) from None
