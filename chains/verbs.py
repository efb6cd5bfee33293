"""What people may do to chains; each verb tells beforehand what it will change."""

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.permissions import OPERATE
from agents.models import Agent
from chains import transitions
from chains.exceptions import NotOwner
from chains.models import Chain, OnFailure
from console.verbs import By, Values, Verb, one_by_one
from tasks.models import Task
from tasks.querysets import TaskQuerySet
from tasks.states import Status


def _tasks(chains: QuerySet[Chain]) -> TaskQuerySet:
    return Task.objects.filter(chain__in=chains.order_by().values("pk"))


def _snapshot(chain: Chain) -> dict[str, object]:
    return {"status": chain.status, "owner": chain.owner_id, "on_failure": chain.on_failure}


def _released(chains: QuerySet[Chain]) -> str:
    count = _tasks(chains.filter(owner__isnull=False)).queued().count()
    return ngettext(
        "Releases %(count)d waiting task.", "Releases %(count)d waiting tasks.", count
    ) % {"count": count}


def _ownership_ends(chains: QuerySet[Chain]) -> list[str]:
    """Whose ownership ends, and how many chains have no owner."""
    owners = list(chains.filter(owner__isnull=False).order_by("pk").values_list("owner", flat=True))
    told = []
    if len(owners) == 1:
        told = [gettext("Ownership of agent %(agent)s ends.") % {"agent": owners[0]}]
    elif owners:
        told = [gettext("Ownership of %(count)d agents ends.") % {"count": len(owners)}]
    ownerless = chains.filter(owner=None).count()
    if ownerless:
        told.append(
            ngettext(
                "%(count)d chain has no owner and will refuse.",
                "%(count)d chains have no owner and will refuse.",
                ownerless,
            )
            % {"count": ownerless}
        )
    return told


def _detach_will(chains: QuerySet[Chain], values: Values) -> list[str]:
    running = _tasks(chains).in_progress().count()
    locks = ngettext(
        "Locks %(count)d task that runs, until a person decides.",
        "Locks %(count)d tasks that run, until a person decides.",
        running,
    )
    return [_released(chains), locks % {"count": running}, *_ownership_ends(chains)]


@one_by_one
def _detach(chain: Chain, by: By, values: Values) -> None:
    """Refused when another agent has become the owner since it was shown."""
    if chain.owner_id is None:
        raise NotOwner("The chain has no owner.")
    transitions.detach(chain.pk, owner_id=chain.owner_id, by=by.actor, reason=by.reason)


def _release_will(chains: QuerySet[Chain], values: Values) -> list[str]:
    told = [_released(chains), *_ownership_ends(chains)]
    running = _tasks(chains).in_progress().count()
    if running:
        refuse = ngettext(
            "%(count)d chain has a task that runs and will refuse: detach it instead.",
            "%(count)d chains have a task that runs and will refuse: detach them instead.",
            running,
        )
        told.append(refuse % {"count": running})
    return told


@one_by_one
def _release(chain: Chain, by: By, values: Values) -> None:
    transitions.release(chain.pk, by=by.actor, reason=by.reason)


def _reassign_will(chains: QuerySet[Chain], values: Values) -> list[str]:
    first = chains.order_by("pk").first()
    if first is None:
        return []
    agent = values.get("agent")
    whom = agent.pk if isinstance(agent, Agent) else "…"
    waiting = Task.objects.filter(chain=first).queued().count()
    names = {"chain": first.name, "agent": whom}
    told = [gettext("Gives chain “%(chain)s” to agent %(agent)s.") % names]
    reserves = ngettext(
        "Only that agent may have its %(count)d waiting task.",
        "Only that agent may have its %(count)d waiting tasks.",
        waiting,
    )
    told.append(reserves % {"count": waiting})
    if first.owner_id:
        told += _ownership_ends(chains.filter(pk=first.pk))
    if isinstance(agent, Agent):
        for other in Chain.objects.owned_by(agent.pk).exclude(pk=first.pk):
            told.append(gettext("Releases chain “%(chain)s”.") % {"chain": other.name})
    more = chains.count() - 1
    if more:
        refuse = ngettext(
            "%(count)d more will refuse: an agent owns one chain.",
            "%(count)d more will refuse: an agent owns one chain.",
            more,
        )
        told.append(refuse % {"count": more})
    return told


@one_by_one
def _reassign(chain: Chain, by: By, values: Values) -> None:
    agent = values["agent"]
    if not isinstance(agent, Agent):
        raise TypeError(f"{agent!r} is no agent")
    transitions.assign_agent(chain.pk, agent.pk, by=by.actor, reason=by.reason)


def _unlock_will(chains: QuerySet[Chain], values: Values) -> list[str]:
    locked = _tasks(chains).locked().count()
    unlocks = ngettext(
        "Unlocks %(count)d task.",
        "Unlocks %(count)d tasks.",
        locked,
    )
    told = [unlocks % {"count": locked}]
    without = chains.count() - locked  # one task of a chain is locked at most
    if without:
        nothing = ngettext(
            "%(count)d chain has no locked task and will refuse.",
            "%(count)d chains have no locked task and will refuse.",
            without,
        )
        told.append(nothing % {"count": without})
    return told


@one_by_one
def _unlock_to_queued(chain: Chain, by: By, values: Values) -> None:
    transitions.unlock_all(chain.pk, Status.QUEUED, by=by.actor, reason=by.reason)


@one_by_one
def _unlock_to_done(chain: Chain, by: By, values: Values) -> None:
    transitions.unlock_all(chain.pk, Status.DONE, by=by.actor, reason=by.reason)


def _on_failure_will(chains: QuerySet[Chain], values: Values) -> list[str]:
    wanted = values.get("on_failure")
    changed = chains.exclude(on_failure=wanted) if wanted else chains
    count = changed.count()
    changes = ngettext(
        "Changes what follows a failure in %(count)d chain.",
        "Changes what follows a failure in %(count)d chains.",
        count,
    )
    told = [changes % {"count": count}]
    failed = _tasks(changed).failed().order_by().values("chain").distinct().count()
    if failed and wanted == OnFailure.CONTINUE:
        on = ngettext(
            "%(count)d chain with a failed task goes on.",
            "%(count)d chains with a failed task go on.",
            failed,
        )
        told.append(on % {"count": failed})
    if failed and wanted == OnFailure.STOP:
        stop = ngettext(
            "%(count)d chain with a failed task stops behind it.",
            "%(count)d chains with a failed task stop behind it.",
            failed,
        )
        told.append(stop % {"count": failed})
    return told


@one_by_one
def _change_on_failure(chain: Chain, by: By, values: Values) -> None:
    changes = {"on_failure": str(values["on_failure"])}
    transitions.edit(chain.pk, changes, by=by.actor, reason=by.reason)


AGENT = forms.ModelChoiceField(
    Agent.objects.all(),
    label=_("Agent"),
    widget=AutocompleteSelect(Chain._meta.get_field("owner"), admin.site),
)
CHAIN_VERBS: list[Verb[Chain]] = [
    Verb("detach", _("Detach"), OPERATE, _detach_will, _detach, _snapshot),
    Verb(
        "reassign",
        _("Reassign"),
        OPERATE,
        _reassign_will,
        _reassign,
        _snapshot,
        {"agent": AGENT},
    ),
    Verb(
        "unlock_to_queued",
        _("Unlock to queued"),
        OPERATE,
        _unlock_will,
        _unlock_to_queued,
        _snapshot,
    ),
    Verb("unlock_to_done", _("Unlock to done"), OPERATE, _unlock_will, _unlock_to_done, _snapshot),
    Verb("release", _("Release"), OPERATE, _release_will, _release, _snapshot),
    Verb(
        "change_on_failure",
        _("Change what follows a failure"),
        OPERATE,
        _on_failure_will,
        _change_on_failure,
        _snapshot,
        {"on_failure": forms.ChoiceField(label=_("On failure"), choices=OnFailure.choices)},
    ),
]
