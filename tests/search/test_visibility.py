"""What others have does not show in what a user finds: not in rows, order, scores or marks."""

import pytest
from django.db import connection

from search import finding, querysets, work
from search.models import Kind
from search.querysets import Scope
from tasks.models import Task
from tests.console.people import make_person
from tests.factories import make_channel, make_task

pytestmark = pytest.mark.django_db


def own(user, *titles):
    channel = make_channel()
    tasks = [make_task(channel, title=title) for title in titles]
    Task.objects.filter(pk__in=[task.pk for task in tasks]).update(user=user)
    work.TaskIndexer().run()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return tasks


@pytest.fixture
def user():
    return make_person("User")


@pytest.fixture
def other():
    return make_person("Operator")


def found(words, user):
    scope = Scope(tree=False, all_tasks=False, user_id=user.pk)
    return [
        (hit.snippet.text, hit.snippet.marks, round(hit.rank.text, 9), round(hit.rank.score, 9))
        for hit in finding.search(words, Kind.DOCS, scope).hits
    ]


def test_a_rare_word_of_others_does_not_hide_what_a_user_has(user, other, monkeypatch):
    """By all pieces the rarer word would be looked up alone, and nothing of the user's has it."""
    monkeypatch.setattr(querysets, "MOST_RANKED", 4)
    monkeypatch.setattr(querysets, "FARTHEST", -1.0)  # by words alone
    own(user, "paint the shed")
    own(other, *(f"zebra shed {n}" for n in range(4)))

    assert [text for text, *_ in found("zebra shed", user)] == ["paint the shed"]


def test_how_many_of_others_have_a_word_shows_in_no_score(user, other):
    own(user, "zebra quokka", "zebra", "quokka mango")
    before = found("zebra quokka mango", user)

    own(other, *(f"secret zebra {n}" for n in range(30)))

    assert found("zebra quokka mango", user) == before
    assert len(before) == 3


def test_whether_others_have_a_word_shows_in_no_mark(user, other):
    own(user, "zebra quokka")
    before = found("zeb quo quokka", user)

    own(other, "zeb", "quo", "zebquo")

    assert found("zeb quo quokka", user) == before


def test_words_that_say_more_count_more(user):
    own(user, *(f"shed number {n}" for n in range(9)), "shed zebra")

    assert found("zebra shed", user)[0][0] == "shed zebra"


def test_a_task_that_becomes_another_s_is_not_found_any_more(user, other):
    [task] = own(user, "zebra quokka")
    assert found("zebra", user)

    Task.objects.filter(pk=task.pk).update(user=other)

    assert found("zebra", user) == []
    assert found("zebra", other)


def test_what_is_shown_is_what_may_be_found_when_it_is_read(user, other):
    [task] = own(user, "zebra quokka")
    scope = Scope(tree=False, all_tasks=False, user_id=user.pk)
    keys = [
        one.key
        for one in querysets.candidates(querysets.asked("zebra", Kind.DOCS, scope), None, scope)
    ]

    Task.objects.filter(pk=task.pk).update(user=other)

    assert len(keys) == 1
    assert querysets.shown(keys, scope) == {}
