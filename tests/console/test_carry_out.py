"""A verb needs a permission and a reason, and is audited."""

from dataclasses import replace

import pytest
from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.callers import LOCAL, Caller, CallerKind
from accounts.rights import OPERATE, VIEW
from console.exceptions import BadValues, ChangedSince, ReasonMissing, VerbNotAllowed
from console.previews import foretell
from console.verbs import Verb, carry_out, one_by_one
from events.models import Event, OperatorAction
from problems import Conflict

pytestmark = pytest.mark.django_db


class AlreadySo(Conflict):
    """It is so already."""


def _rename(event, by, values):
    Event.objects.filter(pk=event.pk).update(type=values["type"], reason=by.reason)
    if event.type == values["type"]:
        raise AlreadySo


RENAME = Verb(
    name="rename",
    label=_("Rename"),
    permission=OPERATE,
    previews=[lambda rows, values: [f"Renames {rows.count()} events."]],
    apply=one_by_one(_rename),
    snapshot=lambda event: {"type": event.type},
    fields={"type": forms.CharField()},
)


def make_event(type_: str) -> Event:
    return Event.objects.create(type=type_)


def test_each_row_is_changed_and_audited():
    events = [make_event("a.b"), make_event("c.d")]

    result = carry_out(RENAME, Event.objects.all(), LOCAL, " it was wrong ", {"type": "x.y"})

    assert result.done == [event.pk for event in events]
    assert set(Event.objects.values_list("type", "reason")) == {("x.y", "it was wrong")}
    first = OperatorAction.objects.about("event", events[0].pk).get()
    assert (first.verb, first.actor, first.reason) == ("rename", "local", "it was wrong")
    assert (first.before, first.after) == ({"type": "a.b"}, {"type": "x.y"})
    assert first.refused == ""


def test_a_refused_row_is_audited_and_does_not_stop_the_others():
    refused, done = make_event("x.y"), make_event("a.b")

    result = carry_out(RENAME, Event.objects.all(), LOCAL, "why", {"type": "x.y"})

    assert result.done == [done.pk]
    assert [(key, type(problem)) for key, problem in result.refused] == [(refused.pk, AlreadySo)]
    row = OperatorAction.objects.about("event", refused.pk).get()
    assert (row.refused, row.message) == ("conflict", "It is so already.")
    assert Event.objects.get(pk=refused.pk).reason == ""


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_reason_is_required(reason):
    make_event("a.b")

    with pytest.raises(ReasonMissing):
        carry_out(RENAME, Event.objects.all(), LOCAL, reason, {"type": "x.y"})

    assert Event.objects.get().type == "a.b"


def test_a_permission_is_required():
    make_event("a.b")
    viewer = Caller(CallerKind.USER, "user:viewer", rights=frozenset({VIEW}))

    with pytest.raises(VerbNotAllowed):
        carry_out(RENAME, Event.objects.all(), viewer, "why", {"type": "x.y"})

    assert Event.objects.get().type == "a.b"
    assert not OperatorAction.objects.exists()


@pytest.fixture
def seen():
    """What a preview of the only event says that it is."""
    make_event("a.b")
    return foretell(RENAME, Event.objects.all(), {"type": "x.y"}).seen


def test_what_is_as_it_was_seen_is_changed(seen):
    result = carry_out(RENAME, Event.objects.all(), LOCAL, "why", {"type": "x.y"}, seen)

    assert (len(result.done), result.refused) == (1, [])
    assert Event.objects.get().type == "x.y"


def test_what_has_changed_since_it_was_seen_is_left_as_it_is(seen):
    Event.objects.update(type="c.d")

    result = carry_out(RENAME, Event.objects.all(), LOCAL, "why", {"type": "x.y"}, seen)

    assert [(key, type(problem)) for key, problem in result.refused] == [
        (Event.objects.get().pk, ChangedSince)
    ]
    assert (result.done, Event.objects.get().type) == ([], "c.d")
    written = OperatorAction.objects.get()
    assert (written.refused, written.before) == ("changed_since", {"type": "c.d"})


def test_what_moves_by_itself_is_no_change(seen):
    Event.objects.update(type="c.d")
    verb = replace(RENAME, moving=("type",))
    moved = foretell(verb, Event.objects.all(), {"type": "x.y"}).seen
    Event.objects.update(type="e.f")

    assert carry_out(verb, Event.objects.all(), LOCAL, "why", {"type": "x.y"}, moved).done


def test_of_several_objects_or_none_nothing_is_seen():
    assert foretell(RENAME, Event.objects.none(), {"type": "x.y"}).seen == ""
    make_event("a.b")
    make_event("a.b")
    assert foretell(RENAME, Event.objects.all(), {"type": "x.y"}).seen == ""


def test_what_is_gone_is_no_refusal(seen):
    rows = Event.objects.all()
    Event.objects.all().delete()

    result = carry_out(RENAME, rows, LOCAL, "why", {"type": "x.y"}, seen)

    assert (result.done, result.refused) == ([], [])


def test_values_are_cleaned_by_the_fields():
    assert RENAME.cleaned({"type": " x.y "}) == {"type": "x.y"}
    with pytest.raises(BadValues, match="type"):
        RENAME.cleaned({})


def test_rows_that_may_change_together_are_changed_at_once():
    calls = []

    def note(rows, by, values):
        calls.append(sorted(rows.values_list("type", flat=True)))
        return one_by_one(lambda *_: None)(rows, by, values)

    for type_ in ("a.b", "a.c", "z.z"):
        make_event(type_)
    verb = Verb(
        name="note",
        label=_("Note"),
        permission=OPERATE,
        previews=[],
        apply=note,
        snapshot=lambda event: {},
        at_once=lambda rows: rows.filter(type__startswith="a."),
    )

    result = carry_out(verb, Event.objects.all(), LOCAL, "why", {})

    assert calls == [["a.b", "a.c"], ["z.z"]]
    assert len(result.done) == OperatorAction.objects.count() == 3
