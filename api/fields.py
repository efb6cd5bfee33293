"""Fields that accept a value as it is or refuse it, without conversion; errors name the field.

As in REST framework, a field without a `default` is required. null and a blank text count as
absent.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.fields import empty

from api.body import BadJson, JsonDict, JsonValue, dumps, is_larger
from api.names import spelled
from problems import Invalid, TooLarge

MAX_JSON_BYTES = 256 * 1024
MOST_TEXTS = 200
LONGEST_NAME = 200
SPELLED = re.compile("[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
JOB_PREFIX = "job-"
NOT_BLANK = "[^\\s\\x1c-\\x1f\\x85]"
"""A character that is no white space; some of these are none to an expression of JSON schema."""
NOBODY = UUID(int=0)  # the id of no row: the server never generates it

Schema = dict[str, Any]
"""What JSON schema says of a value."""
Refer = Callable[[type[serializers.Serializer]], Schema]
"""The schema of a serializer's body."""


def identifier(text: str) -> UUID:
    """Parse an id. A malformed one becomes NOBODY, which no row has."""
    return UUID(text) if SPELLED.fullmatch(text) else NOBODY


def job_identifier(text: str) -> UUID:
    """Parse a job's id as clients know it: a sweep's begins with `job-`."""
    return identifier(text.strip().lower().removeprefix(JOB_PREFIX))


class Missing(Invalid):
    """A required field is missing."""


class PartlyWrong(Invalid):
    """Some of a field's items are wrong; `usable` are the others."""

    def __init__(self, message: str, usable: object) -> None:
        super().__init__(message)
        self.usable = usable


class Strict(serializers.Field):
    """A field with checks of its own; `check` gets every value that is not absent."""

    expected = "a value"

    def run_validation(self, data: object = empty) -> object:
        if data is empty or data is None:
            return self.absent()
        return self.check(data)

    def check(self, data: object) -> object:
        return data

    def absent(self) -> object:
        if self.required:
            raise Missing(f"{self.field_name}_required")
        return None if self.default is empty else self.get_default()

    def wrong_type(self) -> BadJson:
        return BadJson(f"{self.field_name} must be {self.expected}")

    def refused(self, why: str) -> Invalid:
        return Invalid(f"{self.field_name} {why}")

    def is_given(self, value: object) -> bool:
        """Whether the value says something, where one of several fields has to."""
        return bool(value)

    def schema(self, refer: Refer) -> Schema:
        """What is taken, as the API's schema has it; that null is absent is said there for all."""
        return {}

    def given(self) -> Schema:
        """What is said of it there besides, where it is the one of several that is given."""
        return {"not": {"type": "null"}}


class Text(Strict):
    """A string, trimmed unless `trim` is false."""

    expected = "a string"

    def __init__(
        self,
        *,
        default: object = empty,
        max_length: int | None = None,
        trim: bool = True,
        choices: frozenset[str] | None = None,
    ) -> None:
        super().__init__(default=default)
        self.max_length = max_length
        self.trim = trim
        self.choices = choices

    def check(self, data: object) -> object:
        if not isinstance(data, str):
            raise self.wrong_type()
        trimmed = self.trimmed(data)
        if not trimmed and (self.trim or self.required or not data):
            return self.absent()
        text = trimmed if self.trim else data
        if self.max_length is not None and len(text) > self.max_length:
            raise self.refused(f"must not be longer than {self.max_length} characters")
        if self.choices is not None and text not in self.choices:
            raise self.refused(f"must be one of {', '.join(sorted(self.choices))}")
        return text

    def trimmed(self, text: str) -> str:
        return text.strip()

    def is_given(self, value: object) -> bool:
        return isinstance(value, UUID) or (isinstance(value, str) and bool(value.strip()))

    def schema(self, refer: Refer) -> Schema:
        schema: Schema = {"type": "string"}
        if self.required and self.choices is None:
            schema["pattern"] = NOT_BLANK
        if self.max_length is not None:
            schema["maxLength"] = self.max_length
        if self.choices is not None:
            schema["enum"] = [*sorted(self.choices), *([] if self.required else ["", None])]
        return schema

    def given(self) -> Schema:
        return {"type": "string", "pattern": NOT_BLANK}


class Name(Text):
    """A name, id or key, spelled as it is stored."""

    def __init__(self, *, default: object = empty, max_length: int = LONGEST_NAME) -> None:
        super().__init__(default=default, max_length=max_length)

    def trimmed(self, text: str) -> str:
        return spelled(text)


class PassedText(Strict):
    """A text that is only passed on to people, trimmed, never refused.

    Another value is kept as its JSON; from the middle of a text longer than `most` characters so
    much is left out that it fits, and it says so. A serializer names the field in `passed` too.
    """

    def __init__(self, most: int) -> None:
        super().__init__(default="")
        self.most = most

    def check(self, data: object) -> object:
        text = data if isinstance(data, str) else dumps(data).decode()
        return shortened(text.strip(), self.most)


def shortened(text: str, most: int) -> str:
    """The text, or its beginning and its end with a mark between, of `most` characters."""
    if len(text) <= most:
        return text
    mark = f" [… {len(text) - most:,} characters and more left out …] "
    end = (most - len(mark)) // 2
    return f"{text[: most - len(mark) - end]}{mark}{text[len(text) - end :]}"


class WholeNumber(Strict):
    """An integer within bounds, by default those of the database's integer."""

    expected = "a whole number"

    def __init__(
        self, *, default: object = empty, least: int = -(2**31), most: int = 2**31 - 1
    ) -> None:
        super().__init__(default=default)
        self.least = least
        self.most = most

    def check(self, data: object) -> object:
        if type(data) is not int:  # True is an int too
            raise self.wrong_type()
        if not self.least <= data <= self.most:
            raise self.refused(f"must be from {self.least} to {self.most}")
        return data

    def schema(self, refer: Refer) -> Schema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class Number(Strict):
    """A number within bounds, whole or not."""

    expected = "a number"

    def __init__(
        self, *, default: object = empty, least: float = -math.inf, most: float = math.inf
    ) -> None:
        super().__init__(default=default)
        self.least = least
        self.most = most

    def check(self, data: object) -> object:
        if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
            raise self.wrong_type()
        if not self.least <= data <= self.most:
            raise self.refused(f"must be from {self.least} to {self.most}")
        return data

    def schema(self, refer: Refer) -> Schema:
        bounds = {"minimum": self.least, "maximum": self.most}
        finite = {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
        return {"type": "number", **finite}


class Flag(Strict):
    """true or false."""

    expected = "true or false"

    def check(self, data: object) -> object:
        if not isinstance(data, bool):
            raise self.wrong_type()
        return data

    def schema(self, refer: Refer) -> Schema:
        return {"type": "boolean"}

    def given(self) -> Schema:
        return {"const": True}


class Json(Strict):
    """Any JSON up to `max_bytes`, as the database will give it back."""

    def __init__(self, *, default: object = empty, max_bytes: int = MAX_JSON_BYTES) -> None:
        super().__init__(default=default)
        self.max_bytes = max_bytes

    def check(self, data: object) -> object:
        if is_larger(data, self.max_bytes):
            raise TooLarge(f"{self.field_name} must not be larger than {self.max_bytes} bytes")
        return data


class JsonObject(Json):
    """A JSON object up to `max_bytes`."""

    expected = "an object"

    def check(self, data: object) -> object:
        if not isinstance(data, dict):
            raise self.wrong_type()
        return super().check(data)

    def schema(self, refer: Refer) -> Schema:
        return {"type": "object", "additionalProperties": {}}


class Identifier(Text):
    """An id, as a UUID; a malformed one becomes NOBODY, so that a look-up finds nothing."""

    def check(self, data: object) -> object:
        text = super().check(data)
        return identifier(text) if isinstance(text, str) else text

    def schema(self, refer: Refer) -> Schema:
        return {"type": "string", "format": "uuid"}


class SentIdentifier(Identifier):
    """An id, as a UUID; a malformed one stays as it was sent, so that an answer can name it."""

    def check(self, data: object) -> object:
        text = Text.check(self, data)
        return UUID(text) if isinstance(text, str) and SPELLED.fullmatch(text) else text

    def schema(self, refer: Refer) -> Schema:
        return Text.schema(self, refer) | {"examples": ["019c1a2b-3c4d-7e5f-8a9b-0c1d2e3f4a5b"]}


class TextList(Strict):
    """Names, without blanks and repetitions, in the order given."""

    expected = "a list of strings"

    def __init__(
        self, *, default: object = empty, max_items: int = 1000, max_length: int = 200
    ) -> None:
        super().__init__(default=default)
        self.max_items = max_items
        self.max_length = max_length

    def check(self, data: object) -> object:
        return self.texts(data)

    def texts(self, data: object) -> list[str]:
        if not isinstance(data, list):
            raise self.wrong_type()
        if len(data) > self.max_items:
            raise self.refused(f"must not have more than {self.max_items} items")
        texts: dict[str, None] = {}
        for item in data:
            if not isinstance(item, str):
                raise self.wrong_type()
            text = spelled(item)
            if len(text) > self.max_length:
                raise self.refused(f"must not have items longer than {self.max_length} characters")
            if text:
                texts[text] = None
        return list(texts)

    def schema(self, refer: Refer) -> Schema:
        items = {"type": "string", "maxLength": self.max_length}
        return {"type": "array", "items": items, "maxItems": self.max_items}

    def given(self) -> Schema:
        return {"type": "array", "contains": {"type": "string", "pattern": NOT_BLANK}}


class TextMap(Strict):
    """An object of names by name."""

    expected = "an object of strings"

    def __init__(
        self, *, default: object = empty, max_items: int = 20, max_length: int = 200
    ) -> None:
        super().__init__(default=default)
        self.max_items = max_items
        self.max_length = max_length

    def check(self, data: object) -> object:
        return {name: self.text(value) for name, value in self.items(data)}

    def items(self, data: object) -> list[tuple[str, object]]:
        if not isinstance(data, dict):
            raise self.wrong_type()
        if len(data) > self.max_items:
            raise self.refused(f"must not have more than {self.max_items} items")
        items = [(self.text(name), value) for name, value in data.items()]
        if len(dict(items)) < len(items):
            raise self.refused("must not have a name twice")
        return items

    def text(self, value: object) -> str:
        if not isinstance(value, str):
            raise self.wrong_type()
        name = spelled(value)
        if len(name) > self.max_length:
            raise self.refused(f"must not have items longer than {self.max_length} characters")
        return name

    def schema(self, refer: Refer) -> Schema:
        return {
            "type": "object",
            "additionalProperties": self.inner(),
            "maxProperties": self.max_items,
        }

    def inner(self) -> Schema:
        return {"type": "string", "maxLength": self.max_length}


class TextListMap(TextMap):
    """An object of lists of names by name; an empty list is left out."""

    expected = "an object of lists of strings"

    def check(self, data: object) -> object:
        return {name: self.texts(value) for name, value in self.items(data) if value != []}

    def texts(self, value: object) -> list[str]:
        if not isinstance(value, list):
            raise self.wrong_type()
        if len(value) > MOST_TEXTS:
            raise self.refused(f"must not have lists of more than {MOST_TEXTS} items")
        return [self.text(text) for text in value]

    def inner(self) -> Schema:
        return {"type": "array", "items": super().inner(), "maxItems": MOST_TEXTS}


class IdentifierList(TextList):
    """Ids, as UUIDs; malformed ones become NOBODY."""

    def check(self, data: object) -> object:
        return [identifier(text) for text in self.texts(data)]


def by_name(data: Mapping[str, JsonValue], names: Mapping[str, object]) -> JsonDict:
    """The entries of `data` under `names`, without regard to case. One given twice is refused."""
    given = {name: data[name] for name in names if name in data}
    if len(given) < len(data):
        spelled = {name.lower(): name for name in names}
        for key, value in data.items():
            name = spelled.get(key.lower())
            if name is None or key == name:
                continue
            if name in given:
                raise BadJson(f"{name} must not be given twice in one object")
            given[name] = value
    return given
