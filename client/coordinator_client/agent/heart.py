"""The heartbeat: a thread that says what runs and hears what should not."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from coordinator_client.agent.work import Interruption, Work
from coordinator_client.clients import Coordinator
from coordinator_client.errors import Conflict, CoordinatorError
from coordinator_client.models import Beat
from coordinator_client.operations import agents as for_agents
from coordinator_client.values import JSON, Object

logger = logging.getLogger(__name__)


@dataclass
class Claims:
    """How many claims were sent and answered, to know what an answer may still bring."""

    sent: int = 0
    answered: int = 0


@dataclass
class Heart:
    """Speaks for the agent every `interval` seconds, whatever its work does meanwhile."""

    client: Coordinator
    agent_id: str
    incarnation: str
    channels: Sequence[str]
    offers: Mapping[str, list[str]]
    capacity: int
    interval: float
    works: Callable[[], list[Work]]
    drained: Callable[[bool], None]
    replaced: Callable[[], None]
    claims: Claims = field(default_factory=Claims)
    strays: dict[str, int] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def start(self) -> None:
        self.thread = threading.Thread(target=self.run, name="heartbeat", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.ended.set()
        if self.thread:
            self.thread.join(self.interval)

    def run(self) -> None:
        while not self.ended.wait(self.interval):
            try:
                self.beat()
            except Conflict as error:
                if error.code == "agent_replaced":
                    self.replaced()
                    return
                logger.warning("The heartbeat was refused: %s", error)
            except CoordinatorError as error:
                logger.warning("The heartbeat failed: %s", error)

    def beat(self) -> Beat:
        """Send one, and pass on what the answer says."""
        works = self.works()
        offers: Object = {name: as_json(values) for name, values in self.offers.items()}
        answer = self.client.send_once(
            for_agents.heartbeat(
                self.agent_id,
                incarnation=self.incarnation,
                status="running" if works else "idle",
                capabilities=offers,
                capacity=self.capacity,
                channels=self.channels,
                tasks=[work.lease for work in works],
                seconds=max(self.interval, 5),
            )
        )
        self.hear(answer, works)
        return answer

    def hear(self, answer: Beat, works: list[Work]) -> None:
        """The answer is about the leases that were listed; a task may be in a new one by now."""
        for work in works:
            if work.task.id in answer.lost:
                work.interrupt(Interruption.LOST)
            elif work.task.id in answer.cancel_asked:
                work.interrupt(Interruption.CANCEL)
        self.drained(answer.drain)
        self.give_back(answer.unlisted)

    def give_back(self, unlisted: list[str]) -> None:
        """Release what the coordinator thinks is ours and whose claim's answer was lost.

        The answer to a claim that is on its way may bring it, so it is ours to release only once
        every claim that was sent by the time we heard of it has been answered.
        """
        known = {work.task.id for work in self.works()}
        strange = [task_id for task_id in unlisted if task_id not in known]
        self.strays = {id_: self.strays.get(id_, self.claims.sent) for id_ in strange}
        for task_id, sent in self.strays.items():
            if self.claims.answered >= sent:
                self.release(task_id)

    def release(self, task_id: str) -> None:
        logger.warning("Task %s is held, but its claim's answer was lost: giving it back", task_id)
        try:
            self.client.release(task_id, agent_id=self.agent_id, reason="unknown")
        except CoordinatorError as error:
            logger.warning("Task %s could not be given back: %s", task_id, error)


def as_json(values: list[str]) -> JSON:
    return [*values]
