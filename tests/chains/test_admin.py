"""Verbs on chains in the admin: previewed, applied, refused, audited."""

import pytest
from django.urls import reverse

from agents import transitions as agents
from agents.models import Agent
from chains import transitions as chains
from chains import verbs
from chains.models import Chain, OnFailure
from console.previews import foretell
from events.models import Event
from problems import Problem
from tasks.states import Status
from tests.console.clicking import audit, choose, click, messages_of, preview, sentences
from tests.console.people import browser_of
from tests.factories import fresh, give, make_agent, make_chain, silence, steps_of
from tests.tasks.reporting import complete, fail

pytestmark = pytest.mark.django_db

VERBS = {
    "detach": {},
    "reassign": {"agent": "agent-1"},
    "unlock_to_queued": {},
    "unlock_to_done": {},
    "release": {},
    "change_on_failure": {"on_failure": "stop"},
}


@pytest.fixture
def operator():
    return browser_of("Operator")


def make_running_chain(agent="agent-1", *, tasks=3):
    """A chain whose first task is in progress."""
    chain = make_chain(tasks=tasks)
    give(make_agent(agent), chain.channel)
    return fresh(chain)


def make_locked_chain(*, tasks=3):
    """A chain without an owner whose first task is locked."""
    chain = make_running_chain(tasks=tasks)
    chains.detach(chain.pk, owner_id=None, by="tests")
    return fresh(chain)


def make_owned_chain(agent="agent-1"):
    """A chain with an owner and without a task in progress."""
    chain = make_chain(tasks=2)
    make_agent(agent, subscriptions=(chain.channel.name,))
    return chains.assign_agent(chain.pk, agent, by="tests")


def statuses(chain):
    return [task.status for task in steps_of(chain)]


def test_detaching_shows_a_preview_and_detaches(operator):
    chain = make_running_chain(tasks=13)

    assert preview(operator, chain, "detach") == [
        "Releases 12 waiting tasks.",
        "Locks 1 task that runs, until a person decides.",
        "Ownership of agent agent-1 ends.",
    ]
    page = click(operator, chain, "detach", "the agent hangs")

    assert messages_of(page) == ["Detach: 1 done."]
    assert (fresh(chain).owner, statuses(chain)[:2]) == (None, [Status.LOCKED, Status.QUEUED])
    assert audit(chain) == [("detach", "user:operator", "the agent hangs", "")]
    locked = Event.objects.filter(type="task.locked").get()
    assert (locked.actor, locked.reason) == ("user:operator", "the agent hangs")


def test_a_chain_without_an_owner_cannot_be_detached(operator):
    chain = make_chain(tasks=1)

    page = click(operator, chain, "detach")

    assert messages_of(page) == [f"{chain.pk}: The chain has no owner."]
    assert audit(chain) == [("detach", "user:operator", "it hangs", "not_owner")]


def test_reassigning_makes_the_chosen_agent_the_owner(operator):
    chain = make_owned_chain("agent-1")
    make_agent("agent-2", subscriptions=(chain.channel.name,))

    page = click(operator, chain, "reassign", agent="agent-2")

    assert messages_of(page) == ["Reassign: 1 done."]
    assert fresh(chain).owner_id == "agent-2"
    assert audit(chain) == [("reassign", "user:operator", "it hangs", "")]


def test_reassigning_needs_an_agent(operator):
    chain = make_owned_chain("agent-1")

    page = click(operator, chain, "reassign")

    assert page.context["form"].errors["agent"]
    assert fresh(chain).owner_id == "agent-1"


def _unsubscribed(chain):
    make_agent("agent-2")


def _draining(chain):
    make_agent("agent-2", subscriptions=(chain.channel.name,))
    agents.drain("agent-2", by="tests")


def _lost(chain):
    silence(make_agent("agent-2", subscriptions=(chain.channel.name,)))


def _bound(chain):
    make_agent("agent-2", subscriptions=(chain.channel.name,))
    other = make_chain(chain.channel, tasks=1)
    chains.assign_agent(other.pk, "agent-2", by="tests")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (_unsubscribed, "is not subscribed"),
        (_draining, "is draining"),
        (_lost, "is lost"),
        (_bound, "is bound to another chain"),
    ],
)
def test_the_preview_of_a_reassignment_says_why_it_will_refuse(given, says):
    chain = make_chain(tasks=2)
    given(chain)
    verb = next(verb for verb in verbs.CHAIN_VERBS if verb.name == "reassign")
    agent = Agent.objects.get(pk="agent-2")

    (sentence,) = foretell(verb, Chain.objects.filter(pk=chain.pk), {"agent": agent}).will

    assert sentence.startswith("It will refuse: ")
    assert says in sentence
    with pytest.raises(Problem) as refused:
        chains.assign_agent(chain.pk, agent.pk, by="tests")
    assert str(refused.value) in sentence


def test_a_chain_cannot_be_reassigned_to_an_agent_of_another_channel(operator):
    chain = make_chain(tasks=1)
    make_agent("agent-2")

    page = click(operator, chain, "reassign", agent="agent-2")

    assert "is not subscribed" in messages_of(page)[0]
    assert fresh(chain).owner_id is None
    assert audit(chain) == [
        ("reassign", "user:operator", "it hangs", "agent_not_subscribed_channel")
    ]


@pytest.mark.parametrize(
    ("verb", "then"),
    [
        ("unlock_to_queued", [Status.QUEUED, Status.QUEUED]),
        ("unlock_to_done", [Status.DONE, Status.QUEUED]),
    ],
)
def test_a_locked_chain_is_unlocked(operator, verb, then):
    chain = make_locked_chain(tasks=2)

    assert preview(operator, chain, verb) == ["Unlocks 1 task."]
    click(operator, chain, verb)

    assert statuses(chain) == then
    assert audit(chain) == [(verb, "user:operator", "it hangs", "")]


@pytest.mark.parametrize("verb", ["unlock_to_queued", "unlock_to_done"])
def test_a_chain_without_a_locked_task_cannot_be_unlocked(operator, verb):
    chain = make_chain(tasks=1)

    assert preview(operator, chain, verb) == [
        "1 chain has no locked task and will refuse.",
    ]
    page = click(operator, chain, verb)

    assert messages_of(page) == [f"{chain.pk}: No task of the chain is locked."]
    assert [action[3] for action in audit(chain)] == ["conflict"]


def test_releasing_ends_the_ownership_of_a_chain_without_a_task_in_progress(operator):
    chain = make_owned_chain("agent-1")

    assert preview(operator, chain, "release") == [
        "Releases 2 waiting tasks.",
        "Ownership of agent agent-1 ends.",
    ]
    click(operator, chain, "release")

    assert fresh(chain).owner is None
    assert audit(chain) == [("release", "user:operator", "it hangs", "")]


def test_a_chain_with_a_task_in_progress_cannot_be_released(operator):
    chain = make_running_chain()

    assert "1 chain has a task that runs and will refuse: detach it instead." in preview(
        operator, chain, "release"
    )
    page = click(operator, chain, "release")

    assert "runs for agent 'agent-1'" in messages_of(page)[0]
    assert fresh(chain).owner_id == "agent-1"
    assert len(audit(chain)) == 1


def test_on_failure_can_be_changed(operator):
    chain = make_chain(tasks=2, on_failure=OnFailure.STOP)
    agent = make_agent()
    fail(give(agent, chain.channel))
    assert steps_of(chain)[1].blocked

    click(operator, chain, "change_on_failure", on_failure="continue")

    assert fresh(chain).on_failure == OnFailure.CONTINUE
    assert not steps_of(chain)[1].blocked
    assert audit(chain) == [("change_on_failure", "user:operator", "it hangs", "")]


def test_on_failure_must_be_a_known_choice(operator):
    chain = make_chain()

    page = click(operator, chain, "change_on_failure", on_failure="panic")

    assert page.context["form"].errors["on_failure"]
    assert fresh(chain).on_failure == OnFailure.CONTINUE


@pytest.mark.parametrize("verb", VERBS)
def test_a_viewer_has_no_verb_and_may_not_use_it(verb):
    viewer = browser_of("Viewer")
    make_agent("agent-1")
    chain = make_running_chain("agent-2")
    before = (fresh(chain).owner_id, statuses(chain), chain.on_failure)

    shown = viewer.get(reverse("admin:chains_chain_change", args=[chain.pk]))
    page = click(viewer, chain, verb, **VERBS[verb])

    assert shown.status_code == 200
    assert f"/verb/{verb}/" not in shown.content.decode()
    assert page.status_code == 403
    assert (fresh(chain).owner_id, statuses(chain), fresh(chain).on_failure) == before
    assert audit(chain) == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_needs_a_reason(operator, verb):
    chain = make_running_chain()

    page = click(operator, chain, verb, "", **VERBS[verb])

    assert page.context["form"].errors["reason"]
    assert fresh(chain).owner_id == "agent-1"
    assert audit(chain) == []


def test_a_verb_on_several_chains_shows_each_refusal(operator):
    owned, free = make_running_chain("agent-1"), make_chain(tasks=1)

    page = choose(operator, [owned, free], "detach", confirmed=False)
    assert sentences(page) == [
        "Releases 2 waiting tasks.",
        "Locks 1 task that runs, until a person decides.",
        "Ownership of agent agent-1 ends.",
        "1 chain has no owner and will refuse.",
    ]
    page = choose(operator, [owned, free], "detach", reason="night")

    assert messages_of(page) == ["Detach: 1 done.", f"{free.pk}: The chain has no owner."]
    assert [audit(chain)[0][3] for chain in (owned, free)] == ["", "not_owner"]


def test_a_verb_may_be_applied_to_all_chains_that_match_a_filter(operator):
    locked = [make_locked_chain(tasks=1) for _ in range(3)]
    other = make_chain(tasks=1)

    choose(
        operator,
        locked[:1],
        "unlock_to_done",
        across=True,
        query="?status__exact=locked",
        reason="checked by hand",
    )

    assert [statuses(chain) for chain in locked] == [["done"]] * 3
    assert statuses(other) == ["queued"]


def test_the_page_of_a_chain_shows_its_tasks_in_order_and_its_timeline(operator):
    chain = make_running_chain(tasks=3)
    click(operator, chain, "detach", "the agent hangs")

    page = operator.get(reverse("admin:chains_chain_change", args=[chain.pk])).content.decode()

    titles = [task.title for task in steps_of(chain)]
    assert [page.index(f">{title}<") for title in titles] == sorted(
        page.index(f">{title}<") for title in titles
    )
    assert "task.locked" in page
    assert page.count("the agent hangs") >= 2  # in an event and in the audit


def test_a_long_chain_is_shown_around_its_next_task(operator):
    chain = make_chain(tasks=150)
    agent = make_agent()
    for _ in range(40):
        complete(give(agent, chain.channel))

    page = operator.get(reverse("admin:chains_chain_change", args=[chain.pk])).content.decode()

    titles = [task.title for task in steps_of(chain)]
    shown = [number for number, title in enumerate(titles, start=1) if f">{title}<" in page]
    assert shown == list(range(21, 121))
    assert "50 more are not shown" in page


def test_chains_are_listed_with_progress_and_found_by_name_or_id(operator):
    chain, other = make_running_chain(), make_chain()

    url = reverse("admin:chains_chain_changelist")
    for term in (chain.name, str(chain.pk)):
        page = operator.get(url, {"q": term}).content.decode()
        assert chain.name in page
        assert "0 / 3" in page
        assert str(other.pk) not in page
