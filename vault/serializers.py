"""Requests to the key vault (contract 003, 5.6)."""

from typing import ClassVar

from rest_framework.fields import empty

from api import fields
from api.serializers import Values
from collab.fields import Time
from collab.serializers import CollabRequestSerializer
from vault.models import ENV_LENGTH, MOST_SCOPES, NAME_LENGTH, SCOPE_LENGTH
from vault.selectors import Selector
from vault.transitions import LONGEST_VALUE, Draft, Times

LONGEST_REASON = 1_000


def text(default: str | None = "") -> fields.Name:
    return fields.Name(default=default, max_length=NAME_LENGTH)


def environment() -> fields.Name:
    return fields.Name(default="", max_length=ENV_LENGTH)


def number() -> fields.WholeNumber:
    return fields.WholeNumber(default=None, least=1)


class SecretText(fields.Text):
    """A secret, as it was sent; no message and no example shows one."""

    def __init__(self, *, default: object = empty) -> None:
        super().__init__(default=default, max_length=LONGEST_VALUE, trim=False)

    def schema(self, refer: fields.Refer) -> fields.Schema:
        # With both, its pattern and its length, programs that make requests of it give up.
        said = {"description": f"At most {LONGEST_VALUE} characters.", "format": "password"}
        schema = super().schema(refer)
        return {name: rule for name, rule in schema.items() if name != "maxLength"} | said


class TimesRequestSerializer(CollabRequestSerializer):
    """From when to when a version may be read, and when it should be rotated."""

    not_before_at = Time(default=None)
    expires_at = Time(default=None)
    rotate_after = Time(default=None)


class UpsertRequestSerializer(TimesRequestSerializer):
    """A key, or the next version of the key of this name; what is left out stays as it is."""

    provider = fields.Name(max_length=NAME_LENGTH)
    value = SecretText()
    name = text()
    env = environment()
    service = text(default=None)
    resource = text(default=None)
    region = text(default=None)
    alias = text(default=None)
    scopes = fields.TextList(default=None, max_items=MOST_SCOPES, max_length=SCOPE_LENGTH)

    def validate(self, attrs: Values) -> Values:
        told = ("provider", "value", "name", "env", "service", "resource", "region", "alias")
        draft = {one: attrs[one] for one in (*told, "scopes")}
        return {"draft": Draft(**draft, times=times_of(attrs))}


class SelectorRequestSerializer(CollabRequestSerializer):
    """Which key: by its name, its alias or its provider."""

    one_of: ClassVar = {"name, alias or provider is required": ("name", "alias", "provider")}
    name = text()
    alias = text()
    provider = text()
    service = text()
    resource = text()
    env = environment()
    version_int = number()

    def validate(self, attrs: Values) -> Values:
        named = ("name", "alias", "provider", "service", "resource", "env")
        said = {one: attrs[one] for one in named}
        return {"selector": Selector(**said, version=attrs["version_int"])}


class RotateRequestSerializer(TimesRequestSerializer):
    """The next version of a key; without a value the same secret, sealed anew."""

    key_id = fields.Identifier()
    value = SecretText(default=None)

    def validate(self, attrs: Values) -> Values:
        times = times_of(attrs)
        given = {"times": None if times == Times() else times}
        return {"key_id": attrs["key_id"], "value": attrs["value"], **given}


class RevokeRequestSerializer(CollabRequestSerializer):
    """A key that nobody is to read any more, or one of its versions."""

    key_id = fields.Identifier()
    reason = fields.Text(max_length=LONGEST_REASON)
    version_int = number()

    def validate(self, attrs: Values) -> Values:
        said = {one: attrs[one] for one in ("key_id", "reason")}
        return {**said, "version": attrs["version_int"]}


def times_of(attrs: Values) -> Times:
    return Times(attrs["not_before_at"], attrs["expires_at"], attrs["rotate_after"])
