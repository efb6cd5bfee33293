"""Holds every answer that a test's client gets from an API family to the schema.

Status, media type, headers and body of each have to be those that the schema has of its operation.
With `--every-operation`, an operation or a status of one that no test of the run met fails the run,
or, where it tries again what has failed (`--last-failed`), neither that nor the run before.
"""

import json
from datetime import datetime
from functools import cache
from pathlib import Path

import django.test
import jsonschema_rs
import pytest
from django.conf import settings
from django.urls import resolve
from jsonschema import Draft202012Validator, FormatChecker

ROOT = "coordinator_project.urls"
NOTHING = {"", "^internal/", "^functions/", "^api/collab/"}
"""The routes of all paths at which there is nothing."""
FAMILIES_OWN = {400, 401, 403, 404, 405, 413, 503}  # what paths without operations answer
BODILESS = "HEAD"
ANY = "*/*"  # the type of a file that somebody has sent
OF_THE_DOOR = {"408", "431"}  # answered before a client of tests could see it; test_door.py does
OF_ALL = {"400", "401", "403", "413", "429", "503"}  # answered alike, whatever is asked for

formats = FormatChecker(formats=["uuid"])
met: set[str] = set()


@formats.checks("date-time")
def is_time(value):
    if not isinstance(value, str):
        return True
    try:
        return bool(datetime.fromisoformat(value)) and value.endswith("Z")
    except ValueError:
        return False


class Judge:
    """Says what is wrong with a body. Most are right, which a compiled validator sees quickly."""

    def __init__(self, schema):
        self.quick = jsonschema_rs.Draft202012Validator(
            schema, formats={"date-time": is_time}, validate_formats=True
        )
        self.thorough = Draft202012Validator(schema, format_checker=formats)

    def errors(self, body):
        if self.quick.is_valid(body):
            return []
        return sorted(self.thorough.iter_errors(body), key=lambda error: error.path)


class Outside(AssertionError):
    """An answer is not as the schema has it."""


@cache
def whole():
    from coordinator_project import openapi

    return openapi.whole()


@cache
def operation_at(route, method):
    """The operation of a route and a method, None for another method, Outside for no path."""
    from drf_spectacular.generators import EndpointEnumerator

    path = EndpointEnumerator(patterns=[]).get_path_from_regex(route).rstrip("/")
    if path not in whole()["paths"]:
        raise Outside(f"{path} is not in the schema")
    return whole()["paths"][path].get(method.lower())


def inlined(value):
    """The part of the schema with all that it refers to in place."""
    if isinstance(value, dict):
        if "$ref" in value:
            return component(value["$ref"])
        return {name: inlined(inner) for name, inner in value.items() if name != "examples"}
    return [inlined(inner) for inner in value] if isinstance(value, list) else value


@cache
def component(reference):
    _, _, kind, name = reference.split("/")
    return inlined(whole()["components"][kind][name])


@cache
def answer_of(operation_id, status):
    """What an operation answers with this status, and a judge for each media type."""
    from coordinator_project import openapi

    for _, _, operation in openapi.operations(whole()):
        if operation["operationId"] == operation_id and str(status) in operation["responses"]:
            return compiled(inlined(operation["responses"][str(status)]))
    return None


def compiled(answer):
    bodies = {
        media: Judge(content["schema"]) for media, content in answer.get("content", {}).items()
    }
    required = [name for name, said in answer.get("headers", {}).items() if said.get("required")]
    return bodies, required


@cache
def error_of(path_family):
    """The form of errors of a family, for paths and methods that have no operation."""
    from api.schema import FORMS

    name, _ = FORMS[path_family.error]
    schema = component(f"#/components/schemas/{name}")
    return {"application/json": Judge(schema)}, ["X-Request-Id", "Cache-Control"]


def check(request, response):
    """Raises Outside unless the schema has this answer."""
    from problems.families import family_of, is_api

    path, method = request.path_info, request.method
    if not is_api(path) or settings.ROOT_URLCONF != ROOT:
        return
    route = (request.resolver_match or resolve(path)).route
    asked, status = "GET" if method == BODILESS else method, response.status_code
    where = f"{method} {path} → {status}"
    operation = operation_at(route, asked) if route not in NOTHING else None
    if operation is None:
        if status not in FAMILIES_OWN:
            raise Outside(f"{where}: there is no such operation")
        if status == 405 and not response.get("Allow"):
            raise Outside(f"{where}: Allow is missing")
        found = error_of(family_of(path))
    else:
        found = answer_of(operation["operationId"], status)
        if found is None:
            raise Outside(f"{where}: {operation['operationId']} has no such status")
        met.add(f"{operation['operationId']} {status}")
    hold(where, response, *found, bodiless=method == BODILESS)


def hold(where, response, bodies, required, *, bodiless):
    missing = [name for name in required if name not in response.headers]
    if missing:
        raise Outside(f"{where}: without {', '.join(missing)}")
    if not bodies:
        if response.content:
            raise Outside(f"{where}: it should have no body")
        return
    media = response.headers.get("Content-Type", "").partition(";")[0]
    if media not in bodies and ANY not in bodies:
        raise Outside(f"{where}: {media!r} is not declared")
    if bodiless or response.streaming or media not in bodies or not media.endswith("json"):
        return
    if errors := bodies[media].errors(json.loads(response.content)):
        raise Outside(f"{where}: {'; '.join(map(said, errors[:3]))}")


def said(error):
    """The most telling of what is wrong: of a choice, what is wrong with the nearest one."""
    while error.context:
        error = min(error.context, key=lambda one: (one.validator == "type", -len(one.path)))
    place = ".".join(map(str, error.absolute_path)) or "the body"
    return f"{place}: {error.message[:300]}"


def watch(kind):
    """Hold the answers that clients of this class get to the schema."""
    request = kind.request

    def checked(self, **asked):
        response = request(self, **asked)
        check(response.wsgi_request, response)
        return response

    kind.request = checked


def watch_async(kind):
    request = kind.request

    async def checked(self, **asked):
        response = await request(self, **asked)
        check(response.asgi_request, response)
        return response

    kind.request = checked


def pytest_addoption(parser):
    parser.addoption(
        "--every-operation",
        action="store_true",
        help="Fail if no test of this run has met some operation or status of the schema.",
    )


def pytest_configure(config):
    watch(django.test.Client)
    watch_async(django.test.AsyncClient)


def folder(config):
    from tests.conftest import FOLDER

    return Path(config.stash[FOLDER])


def pytest_sessionfinish(session):
    """Write down what this process met; the one that leads compares at the end."""
    config = session.config
    if not config.getoption("every_operation"):
        return
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    before = config.cache.get(BEFORE, []) if config.getoption("lf") else []
    (folder(config) / f"met-{worker}.json").write_text(json.dumps(sorted({*met, *before})))
    if worker == "main":
        config.cache.set(BEFORE, sorted(all_met(config)))
    if worker == "main" and (missed := missed_of(config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        config.stash[MISSED] = missed


MISSED = pytest.StashKey[list[str]]()
BEFORE = "coordinator/met"  # in pytest's cache


def all_met(config):
    """What all processes have met."""
    return {
        name for file in folder(config).glob("met-*.json") for name in json.loads(file.read_text())
    }


def missed_of(config):
    """The statuses that no process has met, of each operation; of those of all, of any at all."""
    found = all_met(config)
    from coordinator_project import openapi

    missed = {
        f"{operation['operationId']} {status}"
        for _, _, operation in openapi.operations(whole())
        for status in operation["responses"].keys() - OF_ALL - OF_THE_DOOR
    } - found
    return sorted(missed | OF_ALL - {one.partition(" ")[2] for one in found})


def pytest_terminal_summary(terminalreporter, config):
    if missed := config.stash.get(MISSED, None):
        terminalreporter.section("operations and statuses that no test has met", red=True)
        terminalreporter.line(", ".join(missed))
