"""Examinations of the work: the loop, the tallies, and queues that nobody serves."""

from django.db.models.functions import Now

from agents.models import Agent
from coordinator_project.doctor.finding import Finding, some_of
from coordinator_project.models import LeaderLease, PassRecord
from tasks import queue
from tasks import tallies as tallied
from tasks.models import Channel
from tasks.states import Status

MOST_CHANNELS = 500
MOST_BEHIND = 100_000  # events


def leader() -> Finding:
    lease = LeaderLease.objects.filter(expires_at__gt=Now()).first()
    if lease is None:
        return Finding(
            "leader",
            "Nobody leads the maintenance loop: no lease expires, no job is counted.",
            "Start manage.py serve on some machine; its log says why it does not lead.",
        )
    return Finding("leader", f"The loop is led since {lease.led_since:%Y-%m-%d %H:%M:%S} UTC.")


def passes() -> Finding:
    wrong = [
        f"{one.name}{f' ({one.problem})' if one.problem else ''}"
        for one in PassRecord.objects.with_late()
        if one.late or one.failures
    ]
    if wrong:
        return Finding(
            "passes",
            f"Passes of the loop are late or fail: {some_of(wrong)}.",
            "The log says why; docs/operations.md, A stuck loop, says what to do.",
        )
    return Finding("passes", "All passes of the loop succeed.")


def tallies() -> Finding:
    """Whether they are up to date, and say the same as a recount."""
    behind = tallied.lag().ids
    wrong = tallied.drift()
    if wrong:
        missing = sum(abs(one.missing) for one in wrong)
        return Finding(
            "tallies",
            f"The counters of tasks are wrong by {missing} in {len(wrong)} places.",
            "Run manage.py reset, or wait for an hour: the loop adds what is missing.",
        )
    if behind > MOST_BEHIND:
        return Finding(
            "tallies",
            f"{behind} events are not counted yet.",
            "See whether the loop runs, and end old transactions, which hold it back.",
        )
    return Finding("tallies", "The counters of tasks are those of a recount.")


def unserved() -> Finding:
    """Channels with tasks for which no online agent works."""
    names = dict(Channel.objects.order_by("pk").values_list("pk", "name")[:MOST_CHANNELS])
    waiting = queue.counts(list(names), 1, giving=True)
    busy = [names[channel] for channel, count in waiting.items() if count]
    lonely = [name for name in busy if not Agent.objects.online().working_for(name).exists()]
    if lonely:
        return Finding(
            "queues",
            f"Tasks wait in channels for which no online agent works: {some_of(lonely)}.",
            "Start agents that are subscribed to these channels, or cancel what nobody needs.",
        )
    return Finding("queues", "Somebody works for each channel in which tasks wait.")


def dead_letters() -> Finding:
    waiting = tallied.by_status()[Status.FAILED]
    if waiting:
        return Finding(
            "dead letters",
            f"{waiting} dead letters wait for a person.",
            "Requeue or purge them in the admin, or at /v1/dead-letters.",
            note=True,
        )
    return Finding("dead letters", "No dead letter waits.")
