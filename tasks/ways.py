"""Which way a claim or a report goes: the fast one where that serves it, else the slow one."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from agents.models import Protocol
from tasks import choosy, claims, fastlane, reports
from tasks.fastlane import ClaimedTask, Outcome
from tasks.models import Channel, Task
from tasks.reports import ReportVerdict, Verdict

Tasks = Sequence[Task | ClaimedTask]


@dataclass(frozen=True, slots=True)
class Wish:
    """The tasks that an agent asks for, from channels by id, or by name where no id is given."""

    agent_id: str
    ids: Sequence[UUID] = ()
    names: Sequence[str] = ()
    max_tasks: int = 1
    lease_seconds: int | None = None
    key: str = ""
    protocol: Protocol = Protocol.PLAIN

    @property
    def channel(self) -> UUID | str | None:
        """The only channel, of a claim without a key: that is what the fast ways serve."""
        named = self.ids or self.names
        return named[0] if len(named) == 1 and not self.key else None

    def spelled_out(self) -> claims.Claim:
        ids = self.ids or Channel.objects.named(self.names).values_list("pk", flat=True)
        return claims.Claim(
            agent_id=self.agent_id,
            channels=list(ids),
            max_tasks=self.max_tasks,
            lease_seconds=self.lease_seconds,
            key=self.key,
            protocol=self.protocol,
        )


def claim(wish: Wish) -> Tasks:
    """The tasks that the agent gets now; none when there are none for it."""
    channel = wish.channel
    if channel is not None:
        plain = wish.protocol == Protocol.PLAIN
        answer = _run(wish) if plain else _choose(wish, channel)
        if answer.choosy:
            answer = _choose(wish, channel)
        if answer.served and not answer.overtaken:
            return answer.tasks
    return claims.claim(wish.spelled_out())


def _run(wish: Wish, outcomes: Sequence[Outcome] = ()) -> fastlane.Answer:
    return fastlane.run(
        wish.agent_id,
        outcomes=outcomes,
        channel=wish.channel,
        max_tasks=wish.max_tasks,
        lease_seconds=wish.lease_seconds,
        protocol=wish.protocol,
    )


def _choose(wish: Wish, channel: UUID | str) -> fastlane.Answer:
    return choosy.claim(
        wish.agent_id,
        channel=channel,
        max_tasks=wish.max_tasks,
        lease_seconds=wish.lease_seconds,
        protocol=wish.protocol,
    )


def report(
    agent_id: str, outcomes: Sequence[Outcome], wish: Wish | None = None
) -> tuple[Sequence[ReportVerdict], Tasks]:
    """Take the outcomes, each answered on its own, and claim if there is a wish: all at once."""
    if wish is None or wish.channel is not None:
        done = _run(wish, outcomes) if wish else fastlane.run(agent_id, outcomes=outcomes)
        if done.served:
            answers = [ReportVerdict(outcome.task_id, Verdict.ACCEPTED) for outcome in outcomes]
            if wish and done.overtaken:
                return answers, claims.claim(wish.spelled_out())
            return answers, done.tasks
    wanted = wish.spelled_out() if wish else None
    return reports.report(outcomes, agent_id=agent_id, by="", wish=wanted)


def report_one(outcome: Outcome, *, agent_id: str, by: str) -> ReportVerdict:
    """Take one outcome, of an agent or, without one, of an operator."""
    if agent_id and fastlane.run(agent_id, outcomes=[outcome]).served:
        return ReportVerdict(outcome.task_id, Verdict.ACCEPTED)
    return reports.report([outcome], agent_id=agent_id or None, by=by)[0][0]
