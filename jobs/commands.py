"""A command: a job of one task, a shell command with its source (seed 001)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import orjson
from django.conf import settings
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from api.body import JsonDict
from api.fields import SPELLED
from tasks.masking import MASK
from tasks.repositories import CREDENTIAL

EXECUTOR = "executor"
CONTAINER = "container"
"""The label, and its value, of runners that run commands in an image."""
KILLED = "killed by admin"


class SourceType(models.TextChoices):
    """Where the source of a command comes from."""

    GIT = "git"
    COPY = "copy"
    NONE = "none"


class CommandStatus(models.TextChoices):
    """Seed 001's words for the life of a command; it follows from its task."""

    SUBMITTED = "submitted", _("Submitted")
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    CANCELLING = "cancelling", _("Cancelling")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    TIMEOUT = "timeout", _("Timeout")


CANCELLABLE = frozenset({CommandStatus.SUBMITTED, CommandStatus.QUEUED, CommandStatus.RUNNING})
RETRYABLE = frozenset({CommandStatus.FAILED, CommandStatus.CANCELLED, CommandStatus.TIMEOUT})


class ExitStatus(models.TextChoices):
    """How a runner says that a command ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """A requested command. All but name, priority, secrets and key are its specification."""

    name: str
    priority: int = 0
    secrets: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str = ""

    description: str = ""
    source_type: str = SourceType.NONE
    git_url: str = ""
    git_credential: bool = False
    git_ref: str = ""
    source_path: str = ""
    code_dir: str = "/job/src"
    job_dir: str = "/job/src"
    job_command: str
    runner_image: str = ""
    job_env_vars: Mapping[str, str] = field(default_factory=dict)
    job_env_secrets: Sequence[str] = ()
    job_env_file: str = ""
    requires: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: int = 3600
    queue_name: str = ""
    max_attempts: int = 1

    @classmethod
    def specified(cls) -> list[str]:
        """The fields of the specification."""
        beside = {"name", "priority", "secrets", "idempotency_key"}
        return [one.name for one in fields(cls) if one.name not in beside]

    @classmethod
    def again(cls, name: str, priority: int, specification: Mapping[str, Any]) -> Self:
        """The same command once more; its secrets are kept with its task."""
        known = {key: specification[key] for key in cls.specified() if key in specification}
        return cls(name=name, priority=priority, **known)

    @property
    def specification(self) -> JsonDict:
        return {name: getattr(self, name) for name in self.specified()}

    @property
    def secret_names(self) -> list[str]:
        return [*self.job_env_secrets, *([CREDENTIAL] if self.git_credential else [])]

    @property
    def required(self) -> dict[str, str]:
        """The labels that a runner must offer."""
        image = {EXECUTOR: CONTAINER} if self.runner_image else {}
        return {**self.requires, **image}

    @property
    def digest(self) -> str:
        """Of all that it says, so that a repeated request can be compared; tells no secret."""
        said = [self.name, self.priority, self.specification, dict(self.secrets)]
        text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()
        return salted_hmac("coordinator.command", text, algorithm="sha256").hexdigest()

    def payload(self, job_id: str) -> JsonDict:
        """What its runner is told; see docs/commands.md."""
        return {
            "job_id": job_id,
            "queue_name": self.queue_name,
            "command": self.job_command,
            "source": {
                "type": self.source_type,
                "url": self.git_url,
                "ref": self.git_ref,
                "path": self.source_path,
            },
            "code_dir": self.code_dir,
            "job_dir": self.job_dir,
            "image": self.runner_image,
            "environment": dict(self.job_env_vars),
            "secret_names": list(self.secret_names),
            "environment_file": self.job_env_file,
            "timeout_seconds": self.timeout_seconds,
            "grace_seconds": int(settings.CANCEL_GRACE.total_seconds()),
        }


def shown_environment(specification: Mapping[str, Any]) -> dict[str, str]:
    """The environment as people see it."""
    plain: dict[str, str] = specification["job_env_vars"]
    return plain | dict.fromkeys(specification["job_env_secrets"], MASK)


def is_id(public_id: str) -> bool:
    """Whether this is the id of a command: a UUID."""
    return SPELLED.fullmatch(public_id.strip()) is not None
