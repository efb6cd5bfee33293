"""Reports that wait on disk until the coordinator has answered them."""

import json
import logging
import uuid
from dataclasses import dataclass
from pathlib import Path

from coordinator_client.clients import Coordinator
from coordinator_client.downloads import sync_folder, whole_file
from coordinator_client.errors import (
    BadRequest,
    Conflict,
    NotAllowed,
    NotFound,
    TooLarge,
    Unauthorized,
)
from coordinator_client.values import JSON, Object, encode

logger = logging.getLogger(__name__)
OPERATIONS = {"complete", "fail", "release", "report_exit"}


@dataclass(frozen=True)
class Report:
    """A report on disk."""

    path: Path
    operation: str
    arguments: Object

    @property
    def task_id(self) -> str:
        return str(self.arguments.get("task_id", ""))


class Outbox:
    """A folder of reports, a file each. What is in it outlives this process and a loss of power."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, operation: str, arguments: Object) -> Report:
        path = self.folder / f"{uuid.uuid4()}.json"
        content: Object = {"operation": operation, "arguments": arguments}
        with whole_file(path, durable=True) as file:
            file.write(encode(content))
        return Report(path, operation, arguments)

    def remove(self, report: Report) -> None:
        report.path.unlink(missing_ok=True)

    def kept(self) -> list[Report]:
        """The reports of before, the oldest first. What cannot be read is set aside."""
        for part in self.folder.glob(".part-*"):
            part.unlink(missing_ok=True)
        paths = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [report for path in paths if (report := self.read(path))]

    def read(self, path: Path) -> Report | None:
        try:
            found: JSON = json.loads(path.read_bytes())
            return understood(path, found)
        except (ValueError, OSError) as error:
            logger.error("The kept report %s cannot be read and is set aside: %s", path.name, error)
            path.rename(path.with_suffix(".corrupt"))
            sync_folder(self.folder)
            return None

    def deliver(self, report: Report, client: Coordinator) -> bool:
        """Send it once. True if it was answered for good, and it is removed; errors are raised."""
        try:
            self.send(report, client)
        except (Conflict, NotFound) as error:
            logger.warning("The report on task %s does not count: %s", report.task_id, error)
        except (TooLarge, BadRequest) as error:
            logger.error("The report on task %s was refused: %s", report.task_id, error)
            return self.refused(report, error, client)
        self.remove(report)
        return True

    def send(self, report: Report, client: Coordinator) -> None:
        method = getattr(client, report.operation)
        try:
            method(**report.arguments)
        except (Unauthorized, NotAllowed):
            if not report.arguments.get("token"):
                raise
            method(**report.arguments | {"token": ""})  # the lease's token ended with the lease

    def refused(self, report: Report, error: Exception, client: Coordinator) -> bool:
        """A result that cannot be stored makes the task fail, so that nobody waits for it."""
        self.remove(report)
        if report.operation != "complete":
            return True
        kept = {k: v for k, v in report.arguments.items() if k != "result"}
        reason = f"the result was refused: {error}"
        return self.deliver(self.add("fail", {**kept, "reason": reason}), client)


def understood(path: Path, found: JSON) -> Report:
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    operation, arguments = found.get("operation"), found.get("arguments")
    if operation not in OPERATIONS or not isinstance(arguments, dict):
        raise ValueError("it is no report")
    if not isinstance(arguments.get("task_id"), str):
        raise ValueError("it names no task")
    return Report(path, str(operation), arguments)
