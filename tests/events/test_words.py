"""Every event that the coordinator writes has a name for people, in each language."""

import re

import pytest
from django.conf import settings
from django.db import connection
from django.utils import translation

from events.words import NAMES, event_name
from tasks.states import EDGES

TYPE = re.compile(r"'((?:task|chain|channel|input|agent|job)\.[a-z_]+)'")
RECORDED = re.compile(r'record\(\s*"([a-z.]+_?[a-z_]*)"')
WRITERS = """SELECT DISTINCT p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT tgisinternal AND p.prosrc LIKE '%INSERT INTO events_event %'"""


@pytest.mark.django_db
def test_what_a_trigger_writes_has_a_name():
    with connection.cursor() as cursor:
        cursor.execute(WRITERS)
        written = {type_ for (source,) in cursor.fetchall() for type_ in TYPE.findall(source)}

    assert len(written) > 20
    assert written <= set(NAMES)


def test_what_is_recorded_has_a_name():
    rooms = (settings.BASE_DIR / room for room in ("agents", "tasks", "chains", "jobs"))
    sources = [path.read_text() for room in rooms for path in room.glob("*.py")]
    recorded = {type_ for source in sources for type_ in RECORDED.findall(source)}

    assert len(recorded) > 5
    assert recorded <= set(NAMES)
    assert {edge.event for edge in EDGES} <= set(NAMES)


def test_the_documents_list_them():
    text = (settings.BASE_DIR / "docs" / "api.md").read_text()
    listed = text.split("The coordinator's own types:")[1].split("For a task, `payload`")[0]
    noun, types = "", set()
    for name in re.findall(r"`([a-z_]*\.[a-z_]+)`", listed):
        noun = name.partition(".")[0] or noun
        types.add(f"{noun}.{name.partition('.')[2]}")

    assert types == set(NAMES)


@pytest.mark.parametrize("language", ["ko", "ru"])
def test_names_are_translated(language):
    with translation.override(language):
        assert [type_ for type_, name in NAMES.items() if str(name).isascii()] == []


def test_a_type_that_an_agent_chose_stays_as_it_is():
    assert event_name("task.created", "coordinator") == "Task made"
    assert event_name("task.created", "agent") == "task.created"
    assert event_name("build.log", "coordinator") == "build.log"
