"""The request for a command (seed 001; contract 001, 1.3)."""

import re
from typing import ClassVar

from django.conf import settings

from agents.models import ID_LENGTH
from api import fields
from api.body import JsonValue
from api.serializers import RequestSerializer, Values
from jobs.commands import CommandRequest, ExitStatus, SourceType
from jobs.exceptions import BadCommand
from tasks import repositories

LONGEST_NAME = 200
LONGEST_TEXT = 100_000
LONGEST_PATH = 4_000
LONGEST_TIMEOUT = 7 * 24 * 3600
MOST_VARIABLES = 200
MOST_ATTEMPTS = 10
MOST_SECRET = 32 * 1024  # characters, of all secrets of a command
MOST_SECRET_LINES = 500
"""Each line is looked for in all that the command writes."""
VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
QUEUE = re.compile("[A-Za-z0-9._-]{1,100}")
OF_COMMANDS = {"job_command", "source_type"}
"""A request with one of these is for a command, another for a sweep."""


def is_command(data: JsonValue) -> bool:
    return isinstance(data, dict) and bool(OF_COMMANDS & {name.lower() for name in data})


class Environment(fields.TextMap):
    """Values by the names of environment variables."""

    def __init__(self, *, default: object) -> None:
        super().__init__(default=default, max_items=MOST_VARIABLES, max_length=LONGEST_TEXT)

    def check(self, data: object) -> object:
        found = {name: self._value(name, value) for name, value in self.items(data)}
        for name in found:
            if not VARIABLE.fullmatch(name):
                raise self.refused(f"has {name!r}, which is no name of an environment variable")
        return found

    def _value(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            raise self.wrong_type()
        if len(value) > self.max_length:
            raise self.refused(f"has a value of {name!r} that is too long")
        return value  # as it is: blanks count

    def schema(self, refer: fields.Refer) -> fields.Schema:
        return super().schema(refer) | {"propertyNames": {"pattern": VARIABLE.pattern}}


class QueueName(fields.Text):
    expected = "a name"

    def check(self, data: object) -> object:
        name = super().check(data)
        if isinstance(name, str) and name and not QUEUE.fullmatch(name):
            raise self.refused("must be 1 to 100 letters, digits, dots, dashes and underscores")
        return name

    def schema(self, refer: fields.Refer) -> fields.Schema:
        return {"type": "string"}


class CommandRequestSerializer(RequestSerializer):
    """A command with its source. `source_url` and `source_ref` are other names of `git_…`."""

    missing: ClassVar[str] = "{} is required"

    name = fields.Text(max_length=LONGEST_NAME)
    description = fields.Text(default="", max_length=LONGEST_TEXT)
    source_type = fields.Text(choices=frozenset(SourceType.values))
    git_url = fields.Text(default="", max_length=LONGEST_PATH)
    git_ref = fields.Text(default="", max_length=LONGEST_PATH)
    source_url = fields.Text(default="", max_length=LONGEST_PATH)
    source_ref = fields.Text(default="", max_length=LONGEST_PATH)
    source_path = fields.Text(default="", max_length=LONGEST_PATH)
    code_dir = fields.Text(default="/job/src", max_length=LONGEST_PATH)
    job_dir = fields.Text(default="", max_length=LONGEST_PATH)
    job_command = fields.Text(max_length=LONGEST_TEXT, trim=False)
    runner_image = fields.Text(default="", max_length=LONGEST_PATH)
    job_env_vars = Environment(default=dict)
    job_env_secrets = fields.TextList(default=list, max_items=MOST_VARIABLES)
    job_env_file = fields.Text(default="", max_length=LONGEST_PATH)
    requires = fields.TextMap(default=dict)
    timeout_seconds = fields.WholeNumber(default=None, least=1, most=LONGEST_TIMEOUT)
    priority = fields.WholeNumber(default=0)
    queue_name = QueueName(default="")
    max_attempts = fields.WholeNumber(default=1, least=1, most=MOST_ATTEMPTS)

    def validate(self, attrs: Values) -> Values:
        for name in ("url", "ref"):
            attrs[f"git_{name}"] = _either(attrs, f"git_{name}", f"source_{name}")
        self._check_source(attrs)
        for name in attrs["job_env_secrets"]:
            if name not in attrs["job_env_vars"]:
                raise wrong("job_env_secrets", f"names {name!r}, which is not in job_env_vars")
        secrets = [attrs["job_env_vars"][name] for name in attrs["job_env_secrets"]]
        lines = sum(1 + value.count("\n") for value in secrets)
        if sum(map(len, secrets)) > MOST_SECRET or lines > MOST_SECRET_LINES:
            raise wrong(
                "job_env_secrets",
                f"may have {MOST_SECRET} characters and {MOST_SECRET_LINES} lines in all",
            )
        if attrs["runner_image"].startswith("-"):
            raise wrong("runner_image", "must not begin with '-'")
        for name in ("code_dir", "job_dir"):
            if attrs[name] and not _is_in_workspace(attrs[name]):
                raise wrong(name, "must be /job or a folder below it, without '..'")
        file = attrs["job_env_file"]
        if file and (not file.startswith("./job/") or ".." in file.split("/")):
            raise wrong("job_env_file", "must begin with './job/', without '..'")
        return attrs

    def _check_source(self, attrs: Values) -> None:
        kind, url = attrs["source_type"], attrs["git_url"]
        if kind == SourceType.GIT and not url:
            raise wrong("git_url", "is required where source_type is git")
        if kind == SourceType.COPY and not attrs["source_path"]:
            raise wrong("source_path", "is required where source_type is copy")
        for name in ("git_url", "git_ref"):
            if attrs[name].startswith("-"):
                raise wrong(name, "must not begin with '-'")
        try:
            attrs["git_url"], attrs["git_credential"] = repositories.apart(url)
        except ValueError as problem:
            raise wrong("git_url", str(problem)) from None


class ExitRequestSerializer(RequestSerializer):
    """How a command ended; `exit_code` is null where it never ran, or was ended."""

    passed = frozenset({"error"})
    agent_id = fields.Name(max_length=ID_LENGTH)
    lease_epoch = fields.WholeNumber(least=1, most=2**63 - 1)
    status = fields.Text(choices=frozenset(ExitStatus.values))
    exit_code = fields.WholeNumber(default=None)
    error = fields.PassedText(LONGEST_TEXT)
    commit_sha = fields.Text(default="", max_length=64)

    def validate(self, attrs: Values) -> Values:
        if attrs["status"] == ExitStatus.COMPLETED and attrs["exit_code"] not in {None, 0}:
            raise wrong("exit_code", "must be 0 where status is completed")
        return attrs


def read(data: JsonValue, key: str) -> CommandRequest:
    """The command that a request asks for; `key` makes a repeated request the same."""
    values = CommandRequestSerializer.read(data)
    given = {name: values[name] for name in CommandRequest.specified() if name in values}
    secret = {name: values["job_env_vars"][name] for name in values["job_env_secrets"]}
    plain = {n: value for n, value in values["job_env_vars"].items() if n not in secret}
    if credential := values["git_credential"]:
        secret[repositories.CREDENTIAL] = credential
    return CommandRequest(
        **given
        | {
            "job_env_vars": plain,
            "git_credential": bool(credential),
            "job_dir": values["job_dir"] or values["code_dir"],
            "runner_image": values["runner_image"] or settings.DEFAULT_RUNNER_IMAGE,
            "timeout_seconds": values["timeout_seconds"] or settings.DEFAULT_TIMEOUT,
            "queue_name": values["queue_name"] or settings.DEFAULT_QUEUE_NAME,
        },
        name=values["name"],
        priority=values["priority"],
        secrets=secret,
        idempotency_key=key,
    )


def wrong(field: str, why: str) -> BadCommand:
    problem = BadCommand(f"{field} {why}")
    problem.details = {field: [problem.message]}
    return problem


def _either(attrs: Values, name: str, other: str) -> str:
    first, second = str(attrs[name]), str(attrs.pop(other))
    if first and second and first != second:
        raise wrong(other, f"differs from {name}")
    return first or second


def _is_in_workspace(path: str) -> bool:
    parts = path.rstrip("/").split("/")
    return parts[:2] == ["", "job"] and not {"..", "."} & set(parts) and "" not in parts[2:]
