"""The schema of all rooms: which paths it has, its examples, and a part for each API family."""

import threading
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.translation import override
from drf_spectacular.generators import SchemaGenerator

from accounts import schema as _credentials  # noqa: F401 (drf-spectacular finds them once loaded)
from coordinator_project import examples
from problems.families import family_of, is_api

Schema = dict[str, Any]
Endpoint = tuple[str, str, str, Callable[..., object]]

REF = "#/components/"
METHODS = ("get", "post", "put", "patch", "delete")

_making = threading.Lock()


def of_families(endpoints: list[Endpoint]) -> list[Endpoint]:
    """The endpoints of API families. Where a slash may end a path, the schema has it without."""
    return [
        (path.rstrip("/"), regex, method, callback)
        for path, regex, method, callback in endpoints
        if is_api(path)
    ]


def with_examples(result: Schema, **kwargs: object) -> Schema:
    """Give an example to each body of a request and of an answer that has none of its own."""
    for _, _, operation in operations(result):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        bodies += [body for status, body in operation["responses"].items() if status[0] == "2"]
        for body in bodies:
            for media, content in body.get("content", {}).items():
                if media.endswith("json") and "examples" not in content:
                    asked = "description" not in body  # which all answers have
                    value = examples.of(content["schema"], result["components"], asked=asked)
                    content["examples"] = {"Example": {"value": value}}
    return result


def make() -> Schema:
    """The schema of all families, made anew."""
    schema: Schema = SchemaGenerator().get_schema(public=True)
    return schema


def whole() -> Schema:
    """The schema of all families, in English, the same for everybody; made once.

    Not by two threads at once: drf-spectacular loads its extensions as it goes.
    """
    with _making, override(settings.LANGUAGE_CODE):
        return _made()


_made = cache(make)


def by_family(schema: Schema) -> dict[str, Schema]:
    """A schema for each family, with the components that it needs."""
    parts: dict[str, Schema] = {}
    for path, item in schema["paths"].items():
        name = family_of(path).name
        part = parts.setdefault(name, {**schema, "info": dict(schema["info"]), "paths": {}})
        part["info"]["title"] = f"{schema['info']['title']}: {name}"
        part["tags"] = [tag for tag in schema["tags"] if tag["name"] == name]
        part["paths"][path] = item
    for part in parts.values():
        part["components"] = _needed(part["paths"], schema["components"])
    return dict(sorted(parts.items()))


def operations(schema: Schema) -> Iterator[tuple[str, str, Schema]]:
    """Each operation, with its path and its method."""
    for path, item in schema["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def _needed(paths: Schema, components: Schema) -> Schema:
    found: dict[tuple[str, str], Schema] = {}
    waiting = list(_references(paths))
    while waiting:
        kind, name = waiting.pop()
        if (kind, name) not in found:
            found[kind, name] = components[kind][name]
            waiting += _references(components[kind][name])
    needed: Schema = {}
    for kind, name in sorted(found):
        needed.setdefault(kind, {})[name] = found[kind, name]
    return needed


def _references(value: object) -> Iterator[tuple[str, str]]:
    """What is referred to in a part of the schema, and the credentials that it names."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                kind, _, named = str(inner).removeprefix(REF).partition("/")
                yield kind, named
            elif name == "security":
                yield from (("securitySchemes", key) for one in inner for key in one)
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
