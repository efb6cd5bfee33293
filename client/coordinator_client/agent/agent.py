"""`Agent`: claims tasks, runs a handler for each in a thread, and reports what came of it."""

import asyncio
import logging
import signal
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from coordinator_client.agent import state
from coordinator_client.agent.heart import Heart
from coordinator_client.agent.outbox import Outbox, Report
from coordinator_client.agent.work import (
    NOTHING,
    Failed,
    Handler,
    Interrupted,
    Interruption,
    Outcome,
    Unsupported,
    Work,
    done,
    failed,
    interrupted,
)
from coordinator_client.backoff import Backoff
from coordinator_client.clients import AsyncCoordinator, Coordinator
from coordinator_client.errors import (
    Conflict,
    CoordinatorError,
    Refused,
    TooManyRequests,
    Unavailable,
    Unreachable,
)
from coordinator_client.models import Task
from coordinator_client.values import Object

logger = logging.getLogger(__name__)
LEASE_SECONDS = 60
BEATS_A_LEASE = 6
TICK = 0.1
PATIENCE = 10.0
Step: TypeAlias = Callable[..., bool]


class AgentReplaced(CoordinatorError):
    """Another process has started under this agent's id; this one has to end."""


class Agent:
    """Runs tasks of `channels` by `handler` until it is told to stop.

    At SIGTERM or SIGINT, or by `stop()`, it claims no more and finishes what it runs; what has not
    ended after `drain_seconds` is interrupted, and given back `grace_seconds` later at the latest.
    A second signal ends all at once. A report is kept on disk until it is answered, and sent at
    the next start if need be.
    """

    def __init__(
        self,
        channels: Sequence[str],
        handler: Handler,
        *,
        url: str | None = None,
        token: str | None = None,
        agent_id: str | None = None,
        concurrency: int = 1,
        offers: Mapping[str, list[str]] | None = None,
        lease_seconds: int = LEASE_SECONDS,
        heartbeat_seconds: float | None = None,
        drain_seconds: float = 300,
        grace_seconds: float = 10,
        wait_seconds: float = 30,
        state_folder: Path | None = None,
    ) -> None:
        self.channels = list(channels)
        self.handler = handler
        self.concurrency = concurrency
        self.lease_seconds = lease_seconds
        self.drain_seconds = drain_seconds
        self.grace_seconds = grace_seconds
        self.wait_seconds = wait_seconds
        self.client = Coordinator(url, token, patience=PATIENCE)
        self.state = state.take(agent_id, state_folder)
        self.agent_id = self.state.agent_id
        self.outbox = Outbox(self.state.subfolder("reports"))
        self.works: list[Work] = []
        self.ending = threading.Event()  # nothing is waited for any more
        self.error: CoordinatorError | None = None
        self._lock = threading.Lock()
        self._drained = False
        self._stops = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._hurried = False
        self._changed = asyncio.Event()
        self.heart = Heart(
            client=Coordinator(url, token, patience=0),
            agent_id=self.agent_id,
            incarnation=str(uuid.uuid4()),
            channels=self.channels,
            offers=offers or {},
            capacity=concurrency,
            interval=heartbeat_seconds or lease_seconds / BEATS_A_LEASE,
            works=self.current,
            drained=self.drain,
            replaced=self.replace,
        )

    def run(self) -> None:
        """Work until stopped. Raises when the coordinator refuses this agent for good."""
        try:
            asyncio.run(self.serve())
        finally:
            self.close()
        if self.error:
            raise self.error

    def close(self) -> None:
        self.heart.client.close()
        self.client.close()
        self.state.close()

    def stop(self) -> None:
        """The first call drains, the second ends all at once. From any thread."""
        with self._lock:
            self._stops += 1
            if self._loop and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self.on_stop)

    def current(self) -> list[Work]:
        with self._lock:
            return list(self.works)

    async def serve(self) -> None:
        with self._lock:
            self._loop = asyncio.get_running_loop()
            for _ in range(self._stops):
                self.on_stop()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self.on_stop)
        if await self.begin():
            self.heart.start()
            await self.claim_until_stopped()
            await self.finish()

    async def begin(self) -> bool:
        """Report what is left of before, then say that this process is the agent now."""
        for report in self.outbox.kept():
            logger.info("Sending the report on task %s that was kept", report.task_id)
            if not await self.patiently(self.deliver_once, report):
                return False
        return await self.patiently(self.announce)

    def announce(self) -> bool:
        self.heart.beat()
        return True

    def deliver_once(self, report: Report) -> bool:
        try:
            return self.outbox.deliver(report, self.client)
        except (Unavailable, TooManyRequests, Unreachable):
            raise
        except Refused as error:
            logger.error("The report on task %s stays on disk: %s", report.task_id, error)
            return True

    async def patiently(self, step: Step, *arguments: Report) -> bool:
        """Take a step in a thread, again until the coordinator answers. False once stopped."""
        backoff = Backoff()
        while not self._stopping.is_set():
            try:
                return await asyncio.to_thread(step, *arguments)
            except (Unavailable, TooManyRequests, Unreachable) as error:
                logger.warning("The coordinator does not answer yet: %s", error)
                await self.pause(backoff.next(error))
            except CoordinatorError as error:
                self.give_up(error)
        return False

    async def claim_until_stopped(self) -> None:
        backoff, key = Backoff(), str(uuid.uuid4())
        async with AsyncCoordinator(
            self.client.config.url, self.client.config.token, patience=0
        ) as client:
            while not self._stopping.is_set():
                free = self.concurrency - len(self.current())
                if free <= 0 or self._drained:
                    await self.change()
                    continue
                try:
                    if await self.claim(client, free, key):
                        key = str(uuid.uuid4())
                    backoff.reset()
                except (Unavailable, TooManyRequests, Unreachable) as error:
                    logger.warning("No claim: %s", error)
                    await self.pause(backoff.next(error))
                except CoordinatorError as error:
                    self.give_up(error)

    async def claim(self, client: AsyncCoordinator, free: int, key: str) -> bool:
        """Claim and start tasks; a stop ends the wait, and then the claim takes none."""
        self.heart.claims.sent += 1
        claiming = asyncio.ensure_future(
            client.claim(
                self.agent_id,
                self.channels,
                max_tasks=min(free, 50),
                lease_seconds=self.lease_seconds,
                wait_seconds=self.wait_seconds,
                idempotency_key=key,
                incarnation=self.heart.incarnation,
            )
        )
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({claiming, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not claiming.done():
                claiming.cancel()
                return False
            tasks = claiming.result()
            for task in tasks:
                self.start(task)
            return bool(tasks)
        finally:
            stopping.cancel()
            self.heart.claims.answered += 1

    def start(self, task: Task) -> None:
        work = Work(task, self.agent_id)
        with self._lock:
            if any(other.lease == work.lease for other in self.works):
                return  # a repeated claim answers what is held
            self.works.append(work)
        name = f"task-{task.id}"
        threading.Thread(target=self.carry_out, args=[work], name=name, daemon=True).start()

    def carry_out(self, work: Work) -> None:
        """Run the handler and report; the task counts as held until the report is answered."""
        try:
            outcome = self.outcome(work)
            if not work.abandoned:
                self.report(work, outcome)
        except Exception:
            logger.exception("The report on task %s could not be kept", work.task.id)
        finally:
            with self._lock:
                if work in self.works:
                    self.works.remove(work)
            self.notice()

    def outcome(self, work: Work) -> Outcome:
        """What the handler made of the task; its exceptions are failures, not this agent's end."""
        try:
            result = self.handler(work)
        except Interrupted:
            return interrupted(work)
        except Unsupported as error:
            return failed(str(error), unsupported=True)
        except Failed as error:
            return failed(str(error), retriable=error.retriable)
        except Exception as error:
            logger.exception("The handler failed with task %s", work.task.id)
            return failed(f"{type(error).__name__}: {error}", retriable=True)
        return result if isinstance(result, Outcome) else done(result)

    def report(self, work: Work, outcome: Outcome) -> None:
        """Keep the report on disk and send it until it is answered or this process ends."""
        if outcome == NOTHING:
            return
        task_id, epoch = work.lease
        whose: Object = {"task_id": task_id, "agent_id": self.agent_id, "lease_epoch": epoch}
        report = self.outbox.add(outcome.operation, {**outcome.arguments, **whose})
        work.reported = True
        backoff = Backoff()
        while not self.ending.is_set():
            try:
                self.outbox.deliver(report, self.client)
                return
            except CoordinatorError as error:
                logger.warning("The report on task %s waits: %s", task_id, error)
                self.ending.wait(backoff.next(error))

    async def finish(self) -> None:
        """Wait for what runs; interrupt it when its time is over, and give back what stays."""
        if await self.emptied(self.drain_seconds, unless_hurried=True):
            await self.leave()
            return
        self.interrupt(Interruption.KILL if self._hurried else Interruption.STOP)
        if not self._hurried:
            await self.emptied(self.grace_seconds, unless_hurried=True)
        if self.current():
            self.interrupt(Interruption.KILL)
            await self.emptied(5)
        await self.leave()

    async def emptied(self, seconds: float, *, unless_hurried: bool = False) -> bool:
        end = asyncio.get_running_loop().time() + seconds
        while self.current():
            if asyncio.get_running_loop().time() > end or (unless_hurried and self._hurried):
                return False
            await asyncio.sleep(TICK)
        return True

    async def leave(self) -> None:
        """Give back what is still held, also by a claim whose answer did not come."""
        self.ending.set()
        self.heart.stop()
        with self._lock:
            left = [work for work in self.works if not work.reported]
            # These have ended: given back they would run again, so the next start reports them.
            self.works[:] = [work for work in self.works if work.reported]
        for work in left:
            work.abandoned = True
            self.heart.release(work.task.id)
        if isinstance(self.error, AgentReplaced):
            return
        try:
            await asyncio.to_thread(self.heart.beat)
        except CoordinatorError as error:
            logger.warning("The last heartbeat failed: %s", error)

    def interrupt(self, why: Interruption) -> None:
        for work in self.current():
            work.interrupt(why)

    def give_up(self, error: CoordinatorError) -> None:
        logger.error("The coordinator refuses this agent: %s", error)
        if isinstance(error, Conflict) and error.code == "agent_replaced":
            self.interrupt(Interruption.LOST)
            error = AgentReplaced(str(error))
        self.error = self.error or error
        self._stopping.set()

    def on_stop(self) -> None:
        if self._stopping.is_set():
            self._hurried = True
            logger.warning("Ending at once")
        else:
            logger.info("Stopping: no more claims, %d tasks run", len(self.works))
        self._stopping.set()

    def drain(self, wanted: bool) -> None:
        if wanted != self._drained:
            logger.info("An operator drains this agent" if wanted else "The drain has ended")
        self._drained = wanted
        self.notice()

    def replace(self) -> None:
        """Another process is this agent now, and what this one holds was freed."""
        error = Conflict(409, "agent_replaced", f"another process is agent {self.agent_id} now")
        if self._loop:
            self._loop.call_soon_threadsafe(self.give_up, error)

    def notice(self) -> None:
        """Wake the loop, from any thread."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    async def change(self) -> None:
        """Wait until a work has ended, the drain changes, or the agent is to stop."""
        while not self._changed.is_set() and not self._stopping.is_set():
            await asyncio.sleep(TICK)
        self._changed.clear()

    async def pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
