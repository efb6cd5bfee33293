"""What operators take back, at once with agents who claim and report, and with each other."""

from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from django.db.models.functions import Now

from accounts.callers import LOCAL
from chains import settle
from chains.task_verbs import PUT_BACK, TASK_VERBS
from console.previews import foretell
from console.verbs import carry_out
from events.models import Event
from jobs import transitions as jobs
from jobs.models import Job
from problems import Problem
from tasks import claims, leases, moves, reports, transitions
from tasks.models import Attempt, Task
from tasks.rows import ClaimRequest, Outcome
from tests.factories import (
    counted,
    fresh,
    give,
    let_lease_run_out,
    make_agent,
    make_chain,
    make_channel,
    make_job,
    make_task,
    make_tasks,
    recounted,
    steps_of,
    take,
    tasks_of,
)
from tests.racing import at_once, race, seen_in_rounds

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 8


def refused(call):
    """Whether the call was refused."""
    try:
        call()
    except Problem:
        return True
    return False


def claim(agent, *channels):
    return claims.claim(ClaimRequest(agent.pk, ids=[channel.pk for channel in channels]))


def restored(task):
    return not refused(partial(moves.restore, task.pk, by="operator"))


def put_back(task):
    """Whether the verb put the task back."""
    rows = Task.objects.filter(pk=task.pk)
    return bool(carry_out(PUT_BACK, rows, LOCAL, "x", {}).done)


def report(task, agent, result=7):
    """The problem of a report by the first lease of the task, or ""."""
    done = Outcome(task.pk, True, result, epoch=1)
    problem = reports.report_one(done, agent_id=agent.pk, by="").problem
    return problem.code if problem else ""


def events_of(task, type_):
    return Event.objects.filter(task_id=str(task.pk), type=type_).count()


def test_a_task_of_a_chain_is_restored_or_the_one_behind_it_is_claimed_never_both():
    def play(ahead):
        chain = make_chain(tasks=2)
        first, second = steps_of(chain)
        transitions.cancel(first.pk, by="operator")
        # As if it had been long ago: a claim within a second may have followed from the end.
        Task.objects.filter(pk=first.pk).update(finished_at=Now() - timedelta(minutes=1))
        agent = make_agent()
        back, given = race(partial(restored, first), partial(claim, agent, chain.channel), ahead)

        first, second = steps_of(chain)
        begun = [row.id for row in given]
        assert not settle.settle(fresh(chain))
        assert events_of(first, "task.restored") == back
        if not back:
            assert (first.status, begun) == ("cancelled", [second.pk])
            return "too late"
        assert (second.status, second.blocked) == ("queued", True)
        assert begun in ([], [first.pk])
        return "restored and claimed" if begun else "restored"

    seen_in_rounds(play, "too late", "restored", "restored and claimed", often=2)


def test_of_two_who_restore_a_task_one_does():
    def play(ahead):
        task = make_task()
        transitions.cancel(task.pk, by="operator")
        back = race(partial(restored, task), partial(restored, task), ahead)

        assert sorted(back) == [False, True]
        assert events_of(task, "task.restored") == 1
        assert len(take(make_agent(), task.channel, max_tasks=5)) == 1
        return back[0]

    seen_in_rounds(play, True, False)


def test_a_restored_task_is_claimed_by_one_and_cancelled_again_by_nobody_unseen():
    def play(ahead):
        task, agents = make_task(), [make_agent(), make_agent()]
        transitions.cancel(task.pk, by="operator")
        given = at_once(
            partial(restored, task), *(partial(claim, one, task.channel) for one in agents)
        )[1:]
        again = partial(transitions.cancel, task.pk, by="operator")
        late, _ = race(partial(claim, make_agent(), task.channel), again, ahead)

        got = [row for rows in (*given, late) for row in rows]
        now = fresh(task)
        assert len(got) == now.lease_epoch <= 1
        if got:
            assert (now.status, bool(now.cancel_asked_at)) == ("in_progress", True)
            return "claimed"
        assert now.status == "cancelled"
        return "cancelled"

    seen_in_rounds(play, "claimed", "cancelled")


def test_a_restored_task_of_a_job_is_counted_once_beside_the_cancellation_of_the_job():
    def play(ahead):
        job = make_job(tasks=3)
        task = tasks_of(job)[0]
        transitions.cancel(task.pk, by="operator")
        back, _ = race(partial(restored, task), partial(jobs.cancel, job.pk, by="operator"), ahead)

        assert counted(job) == recounted(job) == (3, 0, 0, 3)
        assert set(Task.objects.filter(job=job).values_list("status", flat=True)) == {"cancelled"}
        assert events_of(task, "task.restored") == back
        return back

    seen_in_rounds(play, True, False)


def test_a_task_is_restored_or_its_job_has_ended_never_both():
    def play(ahead):
        job = make_job(tasks=2)
        first, second = tasks_of(job)
        transitions.cancel(first.pk, by="operator")
        agent = make_agent()
        given = give(agent, second.channel)
        assert given.pk == second.pk
        back, problem = race(partial(restored, first), partial(report, second, agent), ahead)

        assert problem == ""
        assert counted(job) == recounted(job)
        over = Job.objects.counted().get(pk=job.pk).counted_status in jobs.OVER
        assert over == (not back)
        assert fresh(first).status == ("queued" if back else "cancelled")
        if back:  # the channel is that of the next round
            jobs.cancel(job.pk, by="operator")
        return back

    seen_in_rounds(play, True, False)


def test_a_late_result_counts_or_is_refused_and_then_nobody_does_the_task_again():
    """Its last holder is told that it was cancelled: that is noticed."""

    def play(ahead):
        agent, task = make_agent(), make_task()
        give(agent, task.channel)
        assert put_back(task)
        transitions.cancel(task.pk, by="operator")
        back, problem = race(partial(restored, task), partial(report, task, agent), ahead)

        now = fresh(task)
        if back:
            assert (problem, now.status, now.result) == ("", "done", 7)
            return "counts"
        assert (problem, now.status) == ("conflict", "cancelled")
        assert not restored(task)
        assert not take(make_agent(), task.channel)
        return "refused"

    seen_in_rounds(play, "counts", "refused")


def test_a_task_is_put_back_or_completed_and_a_late_result_is_not_lost():
    def play(ahead):
        agent, task = make_agent(), make_task()
        give(agent, task.channel)
        back, problem = race(partial(put_back, task), partial(report, task, agent), ahead)

        assert problem == ""
        assert (fresh(task).status, fresh(task).result) == ("done", 7)
        assert events_of(task, "task.completed") == 1
        assert not take(make_agent(), task.channel)
        return back

    seen_in_rounds(play, True, False)


def test_a_task_of_a_chain_is_put_back_or_completed_and_its_chain_goes_on():
    def play(ahead):
        chain, agent = make_chain(tasks=2), make_agent()
        task = give(agent, chain.channel)
        second = steps_of(chain)[1]
        back, problem = race(partial(put_back, task), partial(report, task, agent), ahead)

        assert problem == ""
        assert fresh(task).status == "done"
        assert not settle.settle(fresh(chain))
        assert fresh(chain).owner_id == (None if back else agent.pk)
        assert give(make_agent() if back else agent, chain.channel) == second
        return back

    seen_in_rounds(play, True, False)


def test_a_task_that_is_put_back_is_claimed_by_one_and_has_one_result():
    def play(ahead):
        agent, task = make_agent(), make_task()
        give(agent, task.channel)
        other = make_agent()
        assert put_back(task)
        given, problem = race(
            partial(claim, other, task.channel), partial(report, task, agent), ahead
        )

        now = fresh(task)
        if given:
            assert (problem, now.status, now.agent_id) == ("lease_lost", "in_progress", other.pk)
            assert (now.lease_epoch, now.result) == (2, None)
            return "claimed"
        assert (problem, now.status, now.lease_epoch, now.result) == ("", "done", 1, 7)
        return "done"

    seen_in_rounds(play, "claimed", "done")


def test_a_task_is_put_back_or_its_lease_expires_once():
    def play(ahead):
        agent, task = make_agent(), make_task()
        task = give(agent, task.channel)
        let_lease_run_out(task)
        back, _ = race(partial(put_back, task), leases.expire_leases, ahead)

        now = fresh(task)
        [attempt] = Attempt.objects.filter(task=task)
        assert (now.status, now.lease_epoch, now.agent_id) == ("queued", 1, None)
        assert now.attempts == (0 if back else 1)
        assert attempt.outcome == ("reset" if back else "expired")
        return back

    seen_in_rounds(play, True, False)


def test_an_agent_renews_a_task_or_is_told_that_it_was_put_back():
    def play(ahead):
        agent, task = make_agent(), make_task()
        give(agent, task.channel)
        renewal = partial(leases.renew, task.pk, agent_id=agent.pk, epoch=1)
        back, told = race(partial(put_back, task), partial(refused, renewal), ahead)

        assert back
        assert fresh(task).status == "queued"
        assert refused(renewal)
        return "told" if told else "renewed before"

    seen_in_rounds(play, "told", "renewed before")


def test_a_task_is_moved_or_claimed_and_then_stays():
    def play(ahead):
        task, new = make_task(), make_channel()
        move = partial(moves.move, task.pk, new.pk, by="operator")
        stays, given = race(
            partial(refused, move), partial(claim, make_agent(), task.channel), ahead
        )

        now = fresh(task)
        assert events_of(task, "task.moved") == (0 if stays else 2)
        if stays:
            assert given
            assert now.channel_id == task.channel_id
            return "stays"
        assert now.channel_id == new.pk
        assert len(given) == now.lease_epoch
        return "moved"

    seen_in_rounds(play, "stays", "moved")


def test_a_moved_task_is_claimed_once():
    old, new = make_channel(), make_channel()
    tasks = make_tasks(ROUNDS * 3, channel=old)
    agents = [make_agent() for _ in range(3)]

    def move():
        return sum(
            not refused(partial(moves.move, task.pk, new.pk, by="operator")) for task in tasks
        )

    def work(agent):
        return [row.id for _ in range(ROUNDS * 2) for row in claim(agent, old)]

    moved, *got = at_once(move, *(partial(work, agent) for agent in agents))

    given = [pk for ids in got for pk in ids]
    assert len(given) == len(set(given))
    assert Task.objects.filter(channel=new).count() == moved
    left = Task.objects.queued().filter(channel=new).count()
    assert len(take(make_agent(), new, max_tasks=50)) == left


def test_a_preview_waits_for_nobody_and_keeps_nobody_waiting_for_long():
    """While agents claim and report, verbs are previewed; every task ends once."""
    channel = make_channel()
    make_tasks(ROUNDS * 4, channel=channel)
    make_chain(channel, tasks=ROUNDS)
    everything = set(Task.objects.values_list("pk", flat=True))
    verbs = [verb for verb in TASK_VERBS if not verb.fields]

    def work():
        agent, ended = make_agent(), []
        for _ in range(ROUNDS * 8):
            for row in claim(agent, channel):
                reports.report_one(
                    Outcome(row.id, True, epoch=row.lease_epoch), agent_id=agent.pk, by=""
                )
                ended.append(row.id)
        return ended

    def look():
        for _ in range(2):
            for verb in verbs:
                rows = Task.objects.filter(channel=channel).order_by("pk")
                with suppress(Problem):
                    foretell(verb, Task.objects.filter(pk__in=rows[:10].values("pk")), {})
        return []

    ended = [pk for ids in at_once(work, work, look) for pk in ids]

    assert len(ended) == len(set(ended))
    assert not Event.objects.filter(actor="preview").exists()
    assert set(ended) | set(Task.objects.queued().values_list("pk", flat=True)) == everything
