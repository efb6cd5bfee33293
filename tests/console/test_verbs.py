"""A preview says what the deed does, and a verb is offered where it is not sure to be refused.

Each verb is tried on a world with rows in every state, with several values.
"""

import pytest
from django.contrib import admin
from django.db import connection, transaction
from django.utils import timezone

from accounts.callers import LOCAL
from agents.models import Agent
from console import previews
from console.admin import ConsoleAdmin
from console.previews import foretell
from console.verbs import carry_out
from dashboard import rows as pages
from dashboard.acts import KINDS
from dashboard.deltas import channels as channel_rows
from jobs.models import Job
from tasks.tallies import LAST_ID
from tasks.tally_models import TallyMark
from tests.console.world import make_world, state, values_for
from tests.emptying import empty

pytestmark = pytest.mark.django_db

KNOWN = {(kind.model, verb.name): verb for kind in KINDS.values() for verb in kind.verbs} | {
    (model, verb.name): verb
    for model, page in admin.site._registry.items()
    if isinstance(page, ConsoleAdmin)
    for verb in page.verbs
}
# Those that are used on no row are in test_makes.py.
ON_ROWS = [key for key, verb in KNOWN.items() if not verb.alone]
each_verb = pytest.mark.parametrize(
    ("model", "name"), ON_ROWS, ids=[f"{model.__name__}-{name}" for model, name in ON_ROWS]
)
each_kind = pytest.mark.parametrize("kind", KINDS)
ROWS = {
    "tasks": pages.tasks,
    "chains": pages.chains,
    "agents": lambda rows: pages.agents(Agent.objects.with_online().filter(pk__in=rows)),
    "jobs": lambda rows: pages.jobs(Job.objects.counted().filter(pk__in=rows)),
    "channels": channel_rows,
}


@pytest.fixture(scope="module", autouse=True)
def world(django_db_setup, django_db_blocker):
    """Made once: whatever a verb does here is rolled back."""
    with django_db_blocker.unblock():
        make_world()
    yield
    with django_db_blocker.unblock():
        empty()
        count_from_here()


def count_from_here():
    """Begin the tallies anew: the ids of events go on where they were."""
    with connection.cursor() as cursor:
        cursor.execute(LAST_ID)
        [last] = cursor.fetchone()
    TallyMark.objects.create(folded=last, sampled=last, sampled_at=timezone.now())


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """On a busy machine too, all rows are tried."""
    monkeypatch.setattr(previews, "LONGEST", 600)


def done(verb, rows, values, before, seen=""):
    """What the deed does to these rows: its result, and whether it changed any; rolled back."""
    with transaction.atomic():
        result = carry_out(verb, rows, LOCAL, "why", values, seen)
        changed = state() != before
        transaction.set_rollback(True)
    return result, changed


@each_verb
def test_the_preview_of_a_verb_says_what_the_deed_does(model, name):
    verb, before = KNOWN[model, name], state()
    outcomes = set()
    for turn, row in enumerate(model._default_manager.order_by("pk")):
        rows = model._default_manager.filter(pk=row.pk)
        accepted = []
        for values in values_for(verb, row, turn):
            told = foretell(verb, rows, values)
            assert state() == before
            assert told.seen
            result, changed = done(verb, rows, values, before, told.seen)
            assert told.done == len(result.done), (told, result, row.__dict__, values)
            assert [one.code for one in told.refused] == [p.code for _, p in result.refused]
            assert changed or told.will
            assert not (told.refused and told.done)
            accepted.append(not result.refused)
            outcomes.add((changed, bool(result.refused)))
            if not verb.offered_when.fits(row):
                assert result.refused or not changed, (row.__dict__, values)
        if verb.offered_when.fits(row):
            assert any(accepted), ("offered, and sure to be refused", row.__dict__)
    assert (True, False) in outcomes, "the world has no row on which it changes anything"


@each_verb
def test_the_preview_of_many_rows_counts_as_the_deed_does(model, name):
    verb, before = KNOWN[model, name], state()
    rows = model._default_manager.all()
    for values in list(values_for(verb, rows.first()))[:2]:
        told = foretell(verb, rows, values)
        result, _ = done(verb, rows, values, before)

        assert told.done == len(result.done)
        assert sum(one.count for one in told.refused) == len(result.refused)


def judged_by_page(verb, row):
    """As in static/dashboard/verbs.js."""
    return all(
        bool(row.get(name)) is expected if isinstance(expected, bool) else row.get(name) in expected
        for name, expected in verb.offered_when.columns.items()
    )


@each_kind
def test_a_page_offers_a_verb_on_the_rows_on_which_the_room_does(kind):
    model = KINDS[kind].model
    for pk in model.objects.values_list("pk", flat=True):
        row = model.objects.filter(pk=pk)
        [shown] = ROWS[kind](row)
        for verb in KINDS[kind].verbs:
            fits = verb.offered_when.fits(row.get())
            assert verb.offered_when(row, {}).exists() == judged_by_page(verb, shown) == fits


@each_kind
def test_each_verb_is_offered_somewhere_and_says_how_it_differs(kind):
    for verb in KINDS[kind].verbs:
        assert verb.offered_when(KINDS[kind].model.objects.all(), {}).exists(), verb.name
        if verb.name in {"detach", "release", "reassign"}:
            assert verb.help
