"""What the coordinator asks of a Corndogs server, over either protocol."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from api.body import JsonDict
from jobs.corndogs.addresses import Address
from jobs.corndogs.cbor import CborFace
from jobs.corndogs.faces import (
    CorndogsError,
    Face,
    Message,
    NotLeader,
    Refused,
    UnknownCall,
    Unreachable,
)
from jobs.corndogs.json_http import HttpFace

SUBMITTED = "submitted"
WORKING = "submitted-working"
"""A claim swaps these two, as does the end of a timeout, so what was taken comes back by itself."""
ENDED = frozenset({"completed", "canceled", "cancelled"})


@dataclass(frozen=True, slots=True)
class OutsideTask:
    """A task of a queue outside, by what its calls need."""

    uuid: str
    queue: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A task that was taken, and the job that its payload names; None if it names none."""

    task: OutsideTask
    job_id: UUID | None


class Client:
    """The servers of one cluster, tried in turn; one thread uses it."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self.faces = list(faces)
        self.grouped = True

    def close(self) -> None:
        for face in self.faces:
            face.close()

    def submit(self, queue: str, payload: JsonDict, *, timeout: int, priority: int) -> UUID:
        """Put a task into a queue; its id. Repeated, it makes another task."""
        answer = self._call(
            "SubmitTask",
            queue=queue,
            current_state=SUBMITTED,
            auto_target_state=WORKING,
            timeout=timeout,
            payload=orjson.dumps(payload),
            priority=priority,
        )
        uuid = _uuid(_member(answer, "task").get("uuid"))
        if uuid is None:
            raise Refused("It accepted the task and gave no UUID for it.")
        return uuid

    def next(self, queues: Sequence[str], *, timeout: int) -> Delivery | None:
        """Take the most urgent task of these queues, for `timeout` seconds; None if there is none.

        A server without groups, as all of HTTP are, is asked for each queue in turn.
        """
        wanted = {"current_state": SUBMITTED, "override_timeout": timeout}
        states = {"override_current_state": "", "override_auto_target_state": ""}
        if len(queues) > 1 and self.grouped:
            try:
                return _delivery(
                    self._call("GetNextTaskGroup", queues=list(queues), **wanted, **states)
                )
            except UnknownCall:
                self.grouped = False
        for queue in queues:
            found = _delivery(self._call("GetNextTask", queue=queue, **wanted, **states))
            if found is not None:
                return found
        return None

    def look(self, task: OutsideTask) -> str | None:
        """The state of a task there; None if it is gone or has ended."""
        found = _member(self._call("GetTaskStateByID", uuid=task.uuid, queue=task.queue), "task")
        state = found.get("current_state")
        return state if isinstance(state, str) and state not in ENDED else None

    def renew(self, task: OutsideTask, *, timeout: int, priority: int) -> bool:
        """Hold a taken task for `timeout` seconds from now; whether there is one."""
        return self._update(task, WORKING, SUBMITTED, timeout=timeout, priority=priority)

    def put_back(self, task: OutsideTask, *, timeout: int, priority: int) -> bool:
        """Let claims have the task; whether there is one."""
        return self._update(task, SUBMITTED, WORKING, timeout=timeout, priority=priority)

    def _update(
        self, task: OutsideTask, state: str, target: str, *, timeout: int, priority: int
    ) -> bool:
        # A call without priority or target would set them to their defaults.
        answer = self._call(
            "UpdateTask",
            uuid=task.uuid,
            queue=task.queue,
            current_state=state,
            new_state=state,
            auto_target_state=target,
            timeout=timeout,
            priority=priority,
        )
        return bool(_member(answer, "task"))

    def complete(self, task: OutsideTask) -> bool:
        """End a task there; whether there was one."""
        return self._end("CompleteTask", task)

    def cancel(self, task: OutsideTask) -> bool:
        """End a task there as cancelled; whether there was one."""
        return self._end("CancelTask", task)

    def _end(self, name: str, task: OutsideTask) -> bool:
        answer = self._call(name, uuid=task.uuid, queue=task.queue, current_state=WORKING)
        return bool(_member(answer, "task"))

    def clean_up(self, queue: str) -> int:
        """Let the server put back what was taken and not renewed in time; how many."""
        answer = self._call("CleanUpTimedOut", at_time=time.time_ns(), queue=queue)
        count = answer.get("timed_out")
        return count if isinstance(count, int) else 0

    def _call(self, name: str, **request: object) -> Message:
        """Ask the first server, and the next ones only where nothing can have happened."""
        problem: CorndogsError = Unreachable("There is no server.")
        for _ in range(len(self.faces)):
            try:
                return self.faces[0].call(name, request)
            except UnknownCall:
                raise
            except CorndogsError as found:
                problem = found
                self.faces.append(self.faces.pop(0))
                if not isinstance(found, Unreachable | NotLeader):
                    break
        raise problem


def connect(addresses: Iterable[Address], key: str) -> Client:
    """A client of these servers; it connects with its first call."""
    return Client(
        [
            CborFace(one, key) if one.scheme == "corndogs" else HttpFace(one, key)
            for one in addresses
        ]
    )


def _member(answer: Message, name: str) -> Message:
    found = answer.get(name)
    return found if isinstance(found, dict) else {}


def _delivery(answer: Message) -> Delivery | None:
    """What was taken; of older servers a task with its payload, of newer ones a delivery."""
    outer = _member(answer, "delivery")
    task = _member(outer or answer, "task")
    uuid, queue = task.get("uuid"), task.get("queue", task.get("queue_name", ""))
    if not isinstance(uuid, str) or not uuid:
        return None
    payload = outer.get("payload", task.get("payload"))
    return Delivery(OutsideTask(uuid, str(queue)), _job_id(payload))


def _job_id(payload: object) -> UUID | None:
    if isinstance(payload, bytes | str):
        try:
            payload = orjson.loads(payload)
        except ValueError:
            return None
    return _uuid(payload.get("job_id")) if isinstance(payload, dict) else None


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
