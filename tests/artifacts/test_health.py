"""What the details of health say of the object store."""

import asyncio
import json
import threading
import time

import pytest
from django.db.models.functions import Now

from artifacts import health, removals, store
from artifacts.exceptions import StoreAway
from artifacts.files import Files
from artifacts.models import Removal
from tests.artifacts.calls import files_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _anew(monkeypatch):
    monkeypatch.setattr(health, "probe", health.Probe())


def details(client):
    return client.get("/health/details").json()


def of_store(client):
    return details(client)["object_store"]


def test_a_store_that_can_be_written_is_well_and_keeps_nothing(client, folder):
    assert of_store(client) == {"ok": True, "kind": "filesystem", "writable": True, "removals": 0}
    assert files_in(folder) == []


def test_a_store_that_cannot_be_written_is_not_and_says_why(client, folder):
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file where a folder should be")

    found = details(client)

    assert found["ok"] is False
    assert found["object_store"] == {
        "ok": False,
        "kind": "filesystem",
        "writable": False,
        "problem": "The object store cannot be used: File exists.",
        "removals": 0,
    }


def test_nothing_of_its_settings_is_shown(client, settings, folder):
    settings.OBJECT_STORE |= {"bucket": "hidden", "options": (("secret_access_key", "hidden"),)}

    assert "hidden" not in json.dumps(details(client))
    assert str(folder) not in json.dumps(details(client))


def test_removals_that_wait_are_counted(client, folder):
    assert "oldest_removal_at" not in of_store(client)
    removals.announce("a/later")
    for n in range(3):
        Removal.objects.create(key=f"a/{n}", due_at=Now())

    found = of_store(client)

    assert found["removals"] == 3
    oldest = Removal.objects.filter(due_at__lte=Now()).earliest("due_at").due_at
    assert found["oldest_removal_at"] == oldest.isoformat().replace("+00:00", "Z")


def test_what_could_not_be_removed_is_as_old_as_it_was(client, monkeypatch):
    Removal.objects.create(key="a/1", due_at=Now())
    before = of_store(client)["oldest_removal_at"]

    async def away(self, key):
        raise StoreAway

    with monkeypatch.context() as patch:
        patch.setattr(Files, "delete", away)
        assert removals.carry_out() == 0
        assert removals.carry_out() == 0

    assert of_store(client)["oldest_removal_at"] == before


def test_a_store_that_hangs_is_not_waited_for(client, monkeypatch):
    free, asked = threading.Event(), []

    async def hang(self, key, parts):
        asked.append(key)
        await asyncio.to_thread(free.wait)
        return 0

    monkeypatch.setattr(Files, "put", hang)
    monkeypatch.setattr(health, "WITHIN", 0.1)
    try:
        began = time.monotonic()
        for _ in range(3):
            found = of_store(client)
            assert found["writable"] is False
            assert "has not answered" in found["problem"]
        assert time.monotonic() - began < 5
        assert len(asked) == 1
    finally:
        free.set()
        health.probe.thread.join(10)


def test_it_is_not_written_at_each_look(client, monkeypatch):
    real, asked = Files.put, []

    async def put(self, key, parts):
        asked.append(key)
        return await real(self, key, parts)

    monkeypatch.setattr(Files, "put", put)
    for _ in range(3):
        assert of_store(client)["ok"]

    assert len(asked) == 1


async def test_a_store_that_gives_other_bytes_is_not_well():
    class Liar:
        put = delete = None

    async def done(*args):
        return 0

    async def get(*args):
        return store.one_part(b"other")

    Liar.put, Liar.delete, Liar.get = done, done, get
    with pytest.raises(StoreAway):
        await health._write(Liar())
