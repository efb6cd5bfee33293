"""Answers, declared field by field."""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple, Self

from rest_framework import serializers
from rest_framework.serializers import BaseSerializer, ListSerializer

Body = dict[str, Any]


class _Part(NamedTuple):
    """How an answer comes by one of its fields."""

    name: str
    read: Callable[[Any], Any]
    always: bool  # shown also where it is empty
    only_null: bool  # is left out, of what is empty
    convert: Callable[[Any], Any] | None


class AnswerSerializer(serializers.Serializer):
    """What an answer shows of a row.

    A field that is not `required` is left out where it is empty, zero, false or null; one that a
    method gives only where it is null. Values stay as they are: the renderer writes ids and times.
    """

    further: ClassVar[type[serializers.Serializer] | None] = None
    """Describes what is shown besides the fields, which is added by hand."""

    @classmethod
    @cache
    def shared(cls) -> Self:
        """The one instance that knows the fields: REST framework copies them for each new one."""
        return cls()

    @classmethod
    @cache
    def parts(cls) -> tuple[_Part, ...]:
        return tuple(
            _part(cls.shared(), name, field) for name, field in cls.shared().fields.items()
        )

    @classmethod
    def shown(cls, row: object) -> Body:
        """What `cls(row).data` is, for less."""
        return cls.shared().to_representation(row)

    def to_representation(self, instance: Any) -> Body:
        body: Body = {}
        for name, read, always, only_null, convert in self.parts():
            value = read(instance)
            if value or always or (only_null and value is not None):
                body[name] = value if convert is None or value is None else convert(value)
        return body


def filled(**fields: object) -> Body:
    """The fields without those that are empty, zero, false or null."""
    return {name: value for name, value in fields.items() if value}


class ErrorSerializer(AnswerSerializer):
    """A problem as part of an answer."""

    code = serializers.CharField()
    message = serializers.CharField()


def _part(shared: AnswerSerializer, name: str, field: serializers.Field) -> _Part:
    if isinstance(field, serializers.SerializerMethodField):
        read: Callable[[Any], Any] = getattr(shared, field.method_name or f"get_{name}")
    else:
        read = _reader(field.source or name)
    nested = isinstance(field, (BaseSerializer, ListSerializer))
    return _Part(
        name,
        read,
        always=field.required,
        only_null=isinstance(field, serializers.SerializerMethodField),
        convert=field.to_representation if nested else None,
    )


def _reader(source: str) -> Callable[[Any], Any]:
    """The attribute or the entry of this name; null where what it belongs to is null."""
    first, dot, rest = source.partition(".")
    if not dot:
        return attrgetter(first)
    inner = _reader(rest)

    def read(row: object) -> object:
        owner = getattr(row, first)
        if owner is None:
            return None
        return owner.get(rest) if isinstance(owner, dict) else inner(owner)

    return read
