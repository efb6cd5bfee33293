"""Verbs on tasks and channels in the admin: applied, refused, forbidden, audited."""

import pytest
from django.conf import settings

from chains import transitions as chains
from events.models import Event, OperatorAction
from tasks import transitions
from tasks.models import Channel, Task
from tasks.states import Status
from tests.console.clicking import choose, click, list_of, messages_of, page_of
from tests.console.people import browser_of
from tests.factories import (
    fresh,
    give,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_task,
    make_tasks,
    steps_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    return browser_of("Operator")


def make_failed_task() -> Task:
    task = make_held_task()
    Task.objects.filter(pk=task.pk).update(
        status=Status.FAILED, dead_letter="not_retriable", finished_at=task.created_at
    )
    return fresh(task)


def make_locked_task() -> Task:
    chain = make_chain(tasks=2)
    agent = make_agent()
    give(agent, chain.channel)

    chains.detach(chain.pk, owner_id=None, by="tests")
    return steps_of(chain)[0]


def make_queued_task() -> Task:
    return make_task()


def make_done_task() -> Task:
    task = make_locked_task()
    return transitions.unlock(task.pk, Status.DONE, by="tests")


def make_named_agent() -> str:
    return make_agent("agent-1").pk


# verb, its task, its values, the status after it, a task that it refuses
VERBS = [
    ("cancel", make_queued_task, {}, Status.CANCELLED, make_done_task),
    ("force_cancel", make_held_task, {}, Status.CANCELLED, make_queued_task),
    ("requeue", make_failed_task, {}, Status.QUEUED, make_queued_task),
    ("unlock_to_queued", make_locked_task, {}, Status.QUEUED, make_queued_task),
    ("unlock_to_done", make_locked_task, {}, Status.DONE, make_queued_task),
    ("reassign", make_queued_task, {"agent": make_named_agent}, Status.IN_PROGRESS, make_done_task),
    ("prioritize", make_queued_task, {"priority": lambda: 7}, Status.QUEUED, make_done_task),
]
each_verb = pytest.mark.parametrize(("verb", "make", "asked", "status", "make_refused"), VERBS)


@each_verb
def test_a_verb_is_previewed_applied_and_audited(operator, verb, make, asked, status, make_refused):
    task = make()
    values = {name: given() for name, given in asked.items()}

    shown = operator.get(page_of(task, "verb", verb))
    done = click(operator, task, verb, "it hangs", **values)

    assert shown.status_code == 200
    assert shown.context["will"]
    assert "1 done." in messages_of(done)[0]
    assert fresh(task).status == status
    action = OperatorAction.objects.about("task", task.pk).get()
    assert (action.verb, action.actor, action.reason) == (verb, "user:operator", "it hangs")
    assert action.before["status"] == task.status
    assert action.after["status"] == status


@each_verb
def test_a_refusal_is_shown_and_audited(operator, verb, make, asked, status, make_refused):
    task = make_refused()
    values = {name: given() for name, given in asked.items()}

    done = click(operator, task, verb, **values)

    assert str(task.pk) in messages_of(done)[0]
    assert fresh(task).status == task.status
    assert OperatorAction.objects.about("task", task.pk).get().refused


@each_verb
def test_a_viewer_may_not_use_a_verb(verb, make, asked, status, make_refused):
    task = make()
    values = {name: given() for name, given in asked.items()}
    viewer = browser_of("Viewer")

    assert click(viewer, task, verb, **values).status_code == 403
    choose(viewer, [task], verb, **values)
    assert viewer.get(page_of(task)).context["verb_links"] == []
    assert fresh(task).status == task.status
    assert not OperatorAction.objects.exists()


def test_a_verb_needs_a_reason(operator):
    task = make_task()

    asked_again = click(operator, task, "cancel", "  ")

    assert asked_again.context["form"].errors["reason"]
    assert fresh(task).status == Status.QUEUED


def test_the_event_has_the_person_and_the_reason(operator):
    task = make_task()

    click(operator, task, "cancel", "no longer wanted")

    event = Event.objects.about_task(task.pk).get(type="task.cancelled")
    assert (event.actor, event.reason) == ("user:operator", "no longer wanted")


def test_a_list_shows_a_preview_of_the_verb_on_the_marked_tasks(operator):
    channel = make_channel()
    waiting = make_tasks(2, channel=channel)
    held = make_held_task()

    shown = choose(operator, [*waiting, held], "cancel", confirmed=False)

    assert shown.context["will"] == [
        "Cancels 2 tasks that wait.",
        "Asks the agent of 1 task in progress to stop.",
    ]
    assert fresh(waiting[0]).status == Status.QUEUED


def test_a_verb_may_be_applied_to_all_tasks_that_match_a_filter(operator):
    channel, other = make_channel(), make_channel()
    matching = make_tasks(60, channel=channel)
    chained = make_tasks(2, chain=make_chain(channel))
    spared = make_task(other)

    done = choose(
        operator, matching[-1:], "cancel", across=True, query=f"?channel__id__exact={channel.pk}"
    )

    assert messages_of(done) == ["Cancel: 62 done."]
    assert not Task.objects.filter(channel=channel).exclude(status=Status.CANCELLED).exists()
    assert fresh(spared).status == Status.QUEUED
    assert OperatorAction.objects.filter(verb="cancel").count() == 62
    assert fresh(chained[0].chain).status == "done"


def test_only_the_first_twenty_refusals_are_shown(operator):
    tasks = make_tasks(30)

    done = choose(operator, tasks, "requeue")

    assert len(messages_of(done)) == 21
    assert messages_of(done)[-1] == "10 more could not be changed."


def test_a_second_cancel_does_not_take_a_task_from_its_agent(operator):
    task, other = make_held_task(), make_task()
    click(operator, task, "cancel")

    shown = choose(operator, [task, other], "cancel", confirmed=False)
    choose(operator, [task, other], "cancel")

    said = "The agent of 1 task has already been asked to stop."
    assert said in shown.context["will"]
    assert (fresh(task).status, fresh(other).status) == (Status.IN_PROGRESS, Status.CANCELLED)


def test_a_task_that_changed_hands_since_the_page_was_shown_is_left_as_it_is(operator):
    task, other = make_held_task(), make_agent("agent-2")
    page = page_of(task, "verb", "put_back")
    shown = dict(operator.get(page).context["posted"])
    Task.objects.filter(pk=task.pk).update(agent=other)

    done = operator.post(page, {"confirmed": "yes", "reason": "x", **shown}, follow=True)

    [message] = messages_of(done)
    assert message.endswith("Look again, then decide.")
    assert (fresh(task).status, fresh(task).agent) == (Status.IN_PROGRESS, other)
    again = dict(operator.get(page).context["posted"])
    operator.post(page, {"confirmed": "yes", "reason": "x", **again})
    assert fresh(task).status == Status.QUEUED


def test_the_preview_follows_the_agent_that_is_chosen(operator):
    task, agent = make_task(), make_agent("agent-1")
    lost = make_agent("agent-2", seen_ago=settings.AGENT_LOST_AFTER)
    page = page_of(task, "verb", "reassign")

    for chosen, says in [(agent, "to agent agent-1"), (lost, "It will refuse: Agent 'agent-2'")]:
        shown = operator.post(page, {"confirmed": "yes", "look": "yes", "agent": chosen.pk})
        assert says in shown.context["will"][0]
        assert shown.context["title"] == f"Assign: {task.title}"
        assert not shown.context["form"].is_bound
        assert f'value="{chosen.pk}" selected' in shown.content.decode()
    assert fresh(task).status == Status.QUEUED
    assert not OperatorAction.objects.exists()


def test_an_assignment_to_a_lost_agent_is_foretold_to_refuse(operator):
    task, lost = make_task(), make_agent("agent-1", seen_ago=settings.AGENT_LOST_AFTER)

    done = click(operator, task, "reassign", agent=lost.pk)

    assert "is lost" in messages_of(done)[0]
    assert fresh(task).status == Status.QUEUED


def test_the_page_of_a_task_shows_its_history_and_cannot_be_edited(operator):
    task = make_failed_task()
    click(operator, task, "requeue", "try again")

    page = operator.get(page_of(task))

    assert page.status_code == 200
    history = [(row.what, row.reason) for row in page.context["timeline"]]
    assert ("requeue", "try again") in history
    assert ("task.requeued", "try again") in history
    assert page.context["tables"][0].title == "Why is it not running?"
    assert operator.post(page_of(task), {"title": "forged"}).status_code == 403


def test_tasks_are_found_by_the_beginning_of_the_id_and_by_title(operator):
    make_task(title="paint the wall")
    other = make_task(title="repair the roof")

    by_title = operator.get(list_of(Task), {"q": "wall"}).content.decode()
    by_id = operator.get(list_of(Task), {"q": str(other.pk)}).content.decode()

    assert "paint the wall" in by_title
    assert "repair the roof" not in by_title
    assert "repair the roof" in by_id
    assert "paint the wall" not in by_id


@pytest.mark.parametrize(
    "query", ["status__exact=queued", "age=hour", "dead_letter__exact=exhausted", "age=older"]
)
def test_the_list_of_tasks_is_filtered(operator, query):
    make_task(title="paint the wall")

    page = operator.get(f"{list_of(Task)}?{query}")

    assert page.status_code == 200
    wanted = query in {"status__exact=queued", "age=hour"}
    assert ("paint the wall" in page.content.decode()) == wanted


@pytest.mark.parametrize(("verb", "paused"), [("pause", True), ("resume", False)])
def test_channels_are_paused_and_resumed(operator, verb, paused):
    channel = make_channel()
    if not paused:
        transitions.pause_channel(channel.pk, by="tests", reason="full")

    shown = operator.get(page_of(channel, "verb", verb))
    done = click(operator, channel, verb, "repairs")

    assert shown.context["will"][0].startswith(verb.capitalize())
    assert "1 done." in messages_of(done)[0]
    assert (fresh(channel).paused_at is not None) == paused
    action = OperatorAction.objects.about("channel", channel.pk).get()
    assert (action.verb, action.after["paused"], action.reason) == (verb, paused, "repairs")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_viewer_may_not_pause_or_resume_a_channel(verb):
    channel = make_channel()

    assert click(browser_of("Viewer"), channel, verb).status_code == 403
    assert not OperatorAction.objects.exists()


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_verb_on_a_deleted_channel_changes_nothing(operator, verb):
    channel = make_channel()
    Channel.objects.filter(pk=channel.pk).delete()

    assert click(operator, channel, verb).status_code == 200
    assert not OperatorAction.objects.exists()


def test_the_page_and_the_list_of_channels_are_shown(operator):
    channel = make_channel()

    assert operator.get(page_of(channel)).status_code == 200
    assert channel.name in operator.get(list_of(Channel)).content.decode()
