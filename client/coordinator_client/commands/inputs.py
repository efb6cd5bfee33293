"""What commands are given: pairs, JSON, files."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from coordinator_client.values import JSON, Object


def pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """`NAME=VALUE` each."""
    found = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
        found[name] = value
    return found


def lists(given: Sequence[str] | None, option: str) -> dict[str, list[str]]:
    """The same, where a name may come several times."""
    found: dict[str, list[str]] = {}
    for text in given or ():
        for name, value in pairs([text], option).items():
            found.setdefault(name, []).append(value)
    return found


def json_object(given: str, option: str) -> Object:
    """JSON itself, `@file`, or `-` for the standard input."""
    value = json_of(given, option)
    if not isinstance(value, dict):
        raise typer.BadParameter("must be a JSON object", param_hint=option)
    return value


def json_of(given: str, option: str) -> JSON:
    try:
        if given == "-":
            text = sys.stdin.read()
        else:
            text = Path(given[1:]).read_text() if given.startswith("@") else given
        value: JSON = json.loads(text)
    except OSError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
    except ValueError as error:
        raise typer.BadParameter(f"this is not JSON: {error}", param_hint=option) from error
    return value
