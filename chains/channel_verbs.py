"""All that people may do to channels: chains and tasks are made in them."""

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from agents.models import Agent
from chains import sessions, transitions
from chains.models import Chain, OnFailure
from chains.verbs import drafted, made_snapshot
from console.conditions import ALWAYS, Values
from console.verbs import By, Preview, Verb, VerbResult, making, one_by_one, shown
from tasks import channel_verbs, claims
from tasks import transitions as tasks
from tasks.exceptions import ChannelExists
from tasks.fields import agent_field, name_field, task_fields, text_field
from tasks.models import Channel, Task
from tasks.rows import ClaimRequest


def _new_channel(rows: QuerySet[Channel], by: By, values: Values) -> VerbResult:
    """A channel that an operator makes is for all."""
    description = str(values.get("description") or "")
    try:
        channel = tasks.open_channel(str(values["name"]), description=description, by=by.actor)
    except ChannelExists as problem:
        return VerbResult(refused=[("", problem)])
    return VerbResult(done=[channel.pk], made=[(channel, channel_verbs.snapshot(channel))])


def _new_task(channel: Channel, by: By, values: Values) -> Task:
    task = drafted(values, channel, user_id=channel.user_id or by.user_id)
    return transitions.enqueue([task], by=by.actor)[0]


def _new_chain(channel: Channel, by: By, values: Values) -> Chain:
    return transitions.open_chain(
        channel,
        str(values["name"]),
        description=str(values.get("description") or ""),
        on_failure=OnFailure(str(values["on_failure"])),
        user_id=by.user_id,
        by=by.actor,
    )


def _request_session(channel: Channel, by: By, values: Values) -> Task:
    return sessions.request_session(channel, user_id=by.user_id, by=by.actor)


def _claim_for(rows: QuerySet[Channel], by: By, values: Values) -> VerbResult:
    agent = values["agent"]
    if not isinstance(agent, Agent):
        raise TypeError(f"{agent!r} is no agent")
    notes: list[str] = []

    def claim(channel: Channel, by: By, values: Values) -> None:
        request = ClaimRequest(agent.pk, ids=[channel.pk])
        task = claims.claim_for(request, by=by.actor, reason=by.reason)
        named = {"title": task.title, "agent": shown(agent)}
        notes.append(str(_("“%(title)s” goes to %(agent)s.")) % named)

    handled = one_by_one(claim)(rows, by, values)
    handled.notes = notes
    return handled


def _each(channels: QuerySet[Channel], values: Values) -> QuerySet[Channel]:
    return channels


NEW: list[Verb[Channel]] = [
    Verb(
        "new_task",
        _("New task"),
        [
            Preview(
                _each,
                ngettext_lazy(
                    "Puts a task “%(title)s” into the queue of %(count)d channel.",
                    "Puts a task “%(title)s” into the queues of %(count)d channels.",
                    "count",
                ),
            )
        ],
        making(_new_task, made_snapshot),
        channel_verbs.snapshot,
        fields=task_fields(),
        asks_reason=False,
        icon="add",
    ),
    Verb(
        "new_chain",
        _("New chain"),
        [
            Preview(
                _each,
                ngettext_lazy(
                    "Makes a chain “%(name)s” in %(count)d channel.",
                    "Makes a chain “%(name)s” in %(count)d channels.",
                    "count",
                ),
            )
        ],
        making(_new_chain, made_snapshot),
        channel_verbs.snapshot,
        fields={
            "name": name_field(),
            "description": text_field(_("Description")),
            "on_failure": forms.ChoiceField(
                label=_("When a task fails"),
                choices=[
                    (OnFailure.CONTINUE, _("go on with the next")),
                    (OnFailure.STOP, _("stop until it is requeued")),
                ],
            ),
        },
        asks_reason=False,
        icon="add_link",
    ),
    Verb(
        "new_channel",
        _("New channel"),
        [lambda rows, values: [str(_("Makes a channel that is for all."))]],
        _new_channel,
        channel_verbs.snapshot,
        fields={"name": name_field(), "description": text_field(_("Description"))},
        asks_reason=False,
        alone=True,
        icon="add",
    ),
    Verb(
        "claim_for",
        _("Claim for an agent"),
        [
            Preview(
                channel_verbs.GIVING,
                ngettext_lazy(
                    "Gives agent %(agent)s the first task of %(count)d channel that it may have.",
                    "Gives agent %(agent)s the first task of %(count)d channels that it may have.",
                    "count",
                ),
                ngettext_lazy(
                    "%(count)d channel is paused or has no ready task: it will refuse.",
                    "%(count)d channels are paused or have no ready task: they will refuse.",
                    "count",
                ),
            )
        ],
        _claim_for,
        channel_verbs.snapshot,
        channel_verbs.GIVING,
        fields={"agent": agent_field()},
        help=_("The agent gets the first task in the queue that it may have."),
        icon="back_hand",
    ),
    Verb(
        "request_session",
        _("Ask for a session"),
        [
            Preview(
                _each,
                ngettext_lazy(
                    "Asks an agent of %(count)d channel to open a new working session.",
                    "Asks an agent of each of %(count)d channels to open a new working session.",
                    "count",
                ),
            )
        ],
        making(_request_session, made_snapshot),
        channel_verbs.snapshot,
        ALWAYS,
        asks_reason=False,
        help=_("An agent of this channel is asked to open a new working session."),
        icon="terminal",
    ),
]
_resume, _pause = (
    next(verb for verb in channel_verbs.CHANNEL_VERBS if verb.name == name)
    for name in ("resume", "pause")
)
CHANNEL_VERBS: list[Verb[Channel]] = [_resume, *NEW, _pause]
