"""A command as its task's payload says it, checked: what comes from outside is hostile."""

import re
from dataclasses import dataclass, field

from coordinator_client.values import JSON, Object

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SOURCES = {"git", "copy", "none"}
LONGEST = 7 * 24 * 3600
DEFAULT_TIMEOUT = 3600
DEFAULT_GRACE = 60
CREDENTIAL = "source:credential"  # a secret that is no variable: what belongs into the URL


class BadCommand(Exception):
    """The command cannot be run as it is."""


@dataclass(frozen=True)
class Source:
    type: str = "none"
    url: str = ""
    ref: str = ""
    path: str = ""


@dataclass(frozen=True)
class Command:
    job_id: str
    queue_name: str
    command: str = field(repr=False)
    source: Source
    code_dir: str
    job_dir: str
    image: str
    environment: dict[str, str] = field(repr=False)
    secret_names: list[str]
    environment_file: str
    timeout_seconds: float
    grace_seconds: float


def read(payload: Object) -> Command:
    """Raises `BadCommand` with what is wrong."""
    code_dir = text(payload, "code_dir") or "/job/src"
    return Command(
        job_id=text(payload, "job_id"),
        queue_name=text(payload, "queue_name"),
        command=required(payload, "command"),
        source=source(payload.get("source")),
        code_dir=code_dir,
        job_dir=text(payload, "job_dir") or code_dir,
        image=image(payload),
        environment=environment(payload.get("environment")),
        secret_names=names(payload.get("secret_names")),
        environment_file=text(payload, "environment_file"),
        timeout_seconds=seconds(payload, "timeout_seconds", DEFAULT_TIMEOUT, 1),
        grace_seconds=seconds(payload, "grace_seconds", DEFAULT_GRACE, 0),
    )


def source(found: JSON) -> Source:
    if found is None:
        return Source()
    if not isinstance(found, dict):
        raise BadCommand("source is not an object")
    kind = text(found, "type") or "none"
    if kind not in SOURCES:
        raise BadCommand(f"this runner does not know the source type {kind!r}")
    return Source(kind, text(found, "url"), text(found, "ref"), text(found, "path"))


def environment(found: JSON) -> dict[str, str]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadCommand("environment is not an object")
    return {name: value_of(name, value) for name, value in found.items()}


def value_of(name: str, value: JSON) -> str:
    """An environment cannot have NUL; names are those that every shell takes."""
    if not NAME.fullmatch(name):
        raise BadCommand(f"{name!r} cannot be the name of a variable")
    if not isinstance(value, str) or "\0" in value:
        raise BadCommand(f"the variable {name} must be a text without NUL")
    return value


def names(found: JSON) -> list[str]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise BadCommand("secret_names is not a list")
    return [str(name) for name in found]


def text(found: Object, name: str) -> str:
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise BadCommand(f"{name} must be a text without NUL")
    return value


def image(found: Object) -> str:
    """The engine would take one that begins with `-` for an option of its own."""
    name = text(found, "image")
    if name.startswith("-"):
        raise BadCommand("the name of the image must not begin with '-'")
    return name


def required(found: Object, name: str) -> str:
    value = text(found, name)
    if not value.strip():
        raise BadCommand(f"there is no {name}")
    return value


def seconds(found: Object, name: str, default: float, least: float) -> float:
    value = found.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadCommand(f"{name} must be a number")
    if not least <= value <= LONGEST:
        raise BadCommand(f"{name} must be from {least} to {LONGEST}")
    return float(value)
