"""What people may do to chains."""

from contextlib import suppress

from django import forms
from django.conf import settings
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.utils.translation import gettext, ngettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from chains import transitions
from chains.exceptions import ChainUnknown, NotOwner
from chains.models import Chain, ChainStatus, OnFailure
from console.conditions import Values, When
from console.verbs import By, Preview, Verb, by_key, making, one_by_one, shown, title_of
from tasks.fields import agent_field, task_fields
from tasks.models import Channel, Task
from tasks.querysets import TaskQuerySet
from tasks.states import Status

RUNS = {
    "current": lambda: Q(Exists(Task.objects.in_progress().filter(chain=OuterRef("pk")).order_by()))
}
OWNED = When(owner=True)
IDLE = When(RUNS, current=False)
OWNED_AND_IDLE = When(RUNS, owner=True, current=False)
OWNED_AND_RUNNING = When(RUNS, owner=True, current=True)
LOCKED = When(status=[ChainStatus.LOCKED])


def _tasks(chains: QuerySet[Chain]) -> TaskQuerySet:
    return Task.objects.filter(chain__in=chains.order_by().values("pk"))


def _snapshot(chain: Chain) -> dict[str, object]:
    return {"status": chain.status, "owner": chain.owner_id, "on_failure": chain.on_failure}


def _lock(rows: QuerySet[Chain], values: Values) -> None:
    """Lock the chains after their owners; one that is gone is none of the rows any more."""
    agent = values.get("agent")
    new_owner = agent.pk if isinstance(agent, Agent) else None
    for chain_id in rows.order_by("pk").values_list("pk", flat=True):
        with suppress(ChainUnknown):
            transitions.lock_chain(chain_id, new_owner=new_owner)


def _waiting(chains: QuerySet[Chain], values: Values) -> QuerySet[Task]:
    return _tasks(OWNED(chains, values)).queued()


def _idle(chains: QuerySet[Chain], values: Values) -> QuerySet[Chain]:
    """Those of which nothing runs."""
    return chains.exclude(pk__in=_tasks(chains).in_progress().order_by().values("chain"))


def _ownership_ends(chains: QuerySet[Chain], values: Values) -> list[str]:
    owners = list(OWNED(chains, values).order_by("pk").values_list("owner", flat=True))
    if len(owners) == 1:
        return [gettext("Ownership of agent %(agent)s ends.") % {"agent": owners[0]}]
    if owners:
        return [gettext("Ownership of %(count)d agents ends.") % {"count": len(owners)}]
    return []


def _reassignment(chains: QuerySet[Chain], values: Values) -> list[str]:
    """What becomes of the first chain, and of the one that the agent has owned until now."""
    first = chains.order_by("pk").first()
    if first is None:
        return []
    agent = values.get("agent")
    names = {"chain": first.name, "agent": shown(agent) if isinstance(agent, Agent) else "…"}
    if isinstance(agent, Agent) and first.owner_id == agent.pk:
        return [gettext("Agent %(agent)s owns chain “%(chain)s” already.") % names]
    waiting = Task.objects.filter(chain=first).queued().count()
    reserves = ngettext(
        "Only that agent may have its %(count)d waiting task.",
        "Only that agent may have its %(count)d waiting tasks.",
        waiting,
    )
    sentences = [
        gettext("Gives chain “%(chain)s” to agent %(agent)s.") % names,
        reserves % {"count": waiting},
        *_ownership_ends(chains.filter(pk=first.pk), values),
    ]
    if isinstance(agent, Agent):
        for other in Chain.objects.owned_by(agent.pk).exclude(pk=first.pk):
            sentences.append(gettext("Releases chain “%(chain)s”.") % {"chain": other.name})
    return sentences


def _changed(chains: QuerySet[Chain], values: Values) -> QuerySet[Chain]:
    wanted = values.get("on_failure")
    return chains.exclude(on_failure=wanted) if wanted else chains


def _with_failures(chains: QuerySet[Chain], values: Values, then: OnFailure) -> QuerySet[Chain]:
    """Those with a failed task, where the change is to `then`."""
    if values.get("on_failure") != then:
        return chains.none()
    changed = _changed(chains, values)
    return changed.filter(pk__in=_tasks(changed).failed().order_by().values("chain"))


@one_by_one
def _detach(chain: Chain, by: By, values: Values) -> None:
    """Refused where nobody owns it any more."""
    if chain.owner_id is None:
        raise NotOwner("The chain has no owner.")
    transitions.detach(chain.pk, owner_id=chain.owner_id, by=by.actor, reason=by.reason)


@one_by_one
def _reassign(chain: Chain, by: By, values: Values) -> None:
    agent = values["agent"]
    if not isinstance(agent, Agent):
        raise TypeError(f"{agent!r} is no agent")
    transitions.assign_agent(chain.pk, agent.pk, by=by.actor, reason=by.reason)


def made_snapshot(row: Model) -> dict[str, object]:
    """What the audit keeps of a new task or chain."""
    return {
        "title": title_of(row),
        "channel": getattr(row, "channel_id", None),
        "chain": getattr(row, "chain_id", None),
    }


def drafted(values: Values, channel: Channel, **more: object) -> Task:
    """A task as the form of a new one has it, not stored yet."""
    task = Task(channel=channel, max_attempts=settings.MAX_ATTEMPTS)
    given = {name: values[name] for name in task_fields() if values.get(name)}
    for name, value in (given | more).items():
        setattr(task, name, value)
    return task


def _new_task(chain: Chain, by: By, values: Values) -> Task:
    task = drafted(values, chain.channel, chain=chain)
    return transitions.enqueue([task], by=by.actor)[0]


@one_by_one
def _change_on_failure(chain: Chain, by: By, values: Values) -> None:
    changes = {"on_failure": str(values["on_failure"])}
    transitions.edit(chain.pk, changes, by=by.actor, reason=by.reason)


RELEASES = ngettext_lazy(
    "Releases %(count)d waiting task.", "Releases %(count)d waiting tasks.", "count"
)
UNOWNED_REFUSE: Preview[Chain] = Preview(
    OWNED,
    refuses=ngettext_lazy(
        "%(count)d chain has no owner and will refuse.",
        "%(count)d chains have no owner and will refuse.",
        "count",
    ),
)
UNLOCKS: list[Preview[Chain]] = [
    Preview(
        LOCKED,  # of each, one task is locked
        ngettext_lazy("Unlocks %(count)d task.", "Unlocks %(count)d tasks.", "count"),
        ngettext_lazy(
            "%(count)d chain has no locked task and will refuse.",
            "%(count)d chains have no locked task and will refuse.",
            "count",
        ),
        always=True,
    ),
]
CHAIN_VERBS: list[Verb[Chain]] = [
    Verb(
        "unlock_to_queued",
        _("Unlock to queued"),
        UNLOCKS,
        by_key(transitions.unlock_all, Status.QUEUED),
        _snapshot,
        LOCKED,
        lock=_lock,
        help=_("Its locked task is done anew."),
        icon="lock_open",
    ),
    Verb(
        "unlock_to_done",
        _("Unlock to done"),
        UNLOCKS,
        by_key(transitions.unlock_all, Status.DONE),
        _snapshot,
        LOCKED,
        lock=_lock,
        help=_("Its locked task counts as done, and the one behind it has its turn."),
        icon="done",
    ),
    Verb(
        "release",
        _("Release"),
        [
            Preview(lambda chains, _: _waiting(_idle(chains, _), _), RELEASES, always=True),
            lambda chains, _: _ownership_ends(_idle(chains, _), _),
            UNOWNED_REFUSE,
            Preview(
                _idle,
                refuses=ngettext_lazy(
                    "%(count)d chain has a task that runs and will refuse: detach it instead.",
                    "%(count)d chains have a task that runs and will refuse: detach them instead.",
                    "count",
                ),
            ),
        ],
        by_key(transitions.release),
        _snapshot,
        OWNED_AND_IDLE,
        lock=_lock,
        help=_("Lets any agent have the chain, of which nothing runs."),
        icon="lock_open_right",
    ),
    Verb(
        "detach",
        _("Detach"),
        [
            Preview(_waiting, RELEASES, always=True),
            Preview(
                lambda chains, _: _tasks(chains).in_progress().filter(cancel_asked_at=None),
                ngettext_lazy(
                    "Locks %(count)d task that runs, until a person decides.",
                    "Locks %(count)d tasks that run, until a person decides.",
                    "count",
                ),
                always=True,
            ),
            Preview(
                lambda chains, _: _tasks(chains).in_progress().exclude(cancel_asked_at=None),
                ngettext_lazy(
                    "Cancels %(count)d task that runs, as was asked.",
                    "Cancels %(count)d tasks that run, as was asked.",
                    "count",
                ),
            ),
            _ownership_ends,
            UNOWNED_REFUSE,
        ],
        _detach,
        _snapshot,
        OWNED,
        lock=_lock,
        help=_(
            "Takes the chain from its owner at once; a task that runs is locked until a person"
            " decides."
        ),
        icon="link_off",
    ),
    Verb(
        "reassign",
        _("Reassign"),
        [
            _reassignment,
            Preview(
                IDLE,
                refuses=ngettext_lazy(
                    "%(count)d chain has a task that runs and will refuse.",
                    "%(count)d chains have a task that runs and will refuse.",
                    "count",
                ),
            ),
        ],
        _reassign,
        _snapshot,
        IDLE,
        fields={"agent": agent_field()},
        lock=_lock,
        help=_("Makes a certain agent the owner; the chain that it owned before is released."),
        icon="person_add",
    ),
    Verb(
        "new_task",
        _("New task"),
        [
            Preview(
                lambda chains, _: chains,
                ngettext_lazy(
                    "Puts a task “%(title)s” behind the others of %(count)d chain.",
                    "Puts a task “%(title)s” behind the others of %(count)d chains.",
                    "count",
                ),
            )
        ],
        making(_new_task, made_snapshot),
        _snapshot,
        fields=task_fields(),
        lock=_lock,
        asks_reason=False,
        icon="add",
    ),
    Verb(
        "change_on_failure",
        _("Change what follows a failure"),
        [
            Preview(
                _changed,
                ngettext_lazy(
                    "Changes what follows a failure in %(count)d chain.",
                    "Changes what follows a failure in %(count)d chains.",
                    "count",
                ),
                always=True,
            ),
            Preview(
                lambda chains, values: _with_failures(chains, values, OnFailure.CONTINUE),
                ngettext_lazy(
                    "%(count)d chain with a failed task goes on.",
                    "%(count)d chains with a failed task go on.",
                    "count",
                ),
            ),
            Preview(
                lambda chains, values: _with_failures(chains, values, OnFailure.STOP),
                ngettext_lazy(
                    "%(count)d chain with a failed task stops behind it.",
                    "%(count)d chains with a failed task stop behind it.",
                    "count",
                ),
            ),
        ],
        _change_on_failure,
        _snapshot,
        fields={"on_failure": forms.ChoiceField(label=_("On failure"), choices=OnFailure.choices)},
        lock=_lock,
        help=_("Whether the tasks behind a failed one go on."),
        icon="rule",
    ),
]
