"""The bytes of a secret are in no log, event, audit, page or error, and in no dump."""

import io
import logging
import os
import re
import subprocess
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import connection

from coordinator_project import cluster, logs
from tests.collab.functions import Functions
from tests.console.clicking import click, page_of
from tests.console.people import browser_of
from tests.vault.keys import change, make_key
from vault import seals, transitions
from vault.models import KeyAudit, SecureKey
from vault.reading import Selector, read

SECRETS = ["sk-leak-4f1d9a77c2", "sk-leak-e08b35d6fa", "sk-leak-schlüssel-키"]


@pytest.fixture
def logged():
    """All that is logged, at every level, as `serve` writes it."""
    stream = io.StringIO()
    formats = logs.configuration("DEBUG")["formatters"]["structured"]
    kind = formats.pop("()")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(kind(**formats))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(before)
    root.removeHandler(handler)


def everything(client):
    """Use secrets in every way, also wrongly; what was answered, but for the values read."""
    vault, admin = Functions(client), browser_of("Admin")
    one, other, third = SECRETS
    said = [vault.post("key-vault/upsert", {"provider": "openai", "value": one})]
    key = SecureKey.objects.get()
    assert vault.get("key-vault/get", provider="openai").json()["value"] == one
    said += [
        vault.post("key-vault/rotate", {"key_id": str(key.pk), "value": other}),
        vault.post("key-vault/upsert", {"provider": [third], "value": third}),
        vault.post("key-vault/upsert", {"value": third}),
        vault.post("key-vault/upsert", {"provider": "x", "value": [third]}),
        vault.post("key-vault/upsert", {"provider": "x", "value": third, "expires_at": "soon"}),
        vault.post("key-vault/upsert", {"provider": "x", "value": third * 9_000}),
        vault.post("key-vault/upsert", b'{"value": "' + third.encode() + b'", '),
        vault.get(f"key-vault/get?{urlencode({'name': 'openai', 'value': third})}"),
        admin.post("/admin/vault/securekey/add/", {"provider": "x", "value": third}),
        admin.post(
            "/admin/vault/securekey/add/",
            {"name": "third", "env": "dev", "provider": "x", "value": third},
        ),
        click(admin, key, "rotate", reason="", value=third),
        click(admin, key, "rotate", value=third),
        admin.get(page_of(key)),
        admin.get("/admin/vault/keyaudit/"),
    ]
    for number in (1, 2, 3):
        transitions.rotate(key.pk, by="tests") if number == 1 else None
        change(key, number, checksum="0" * 64)
        said.append(vault.get("key-vault/get", provider="openai", version_int=number))
        assert said[-1].status_code == 422
    said.append(vault.post("key-vault/revoke", {"key_id": str(key.pk), "reason": "leaked"}))
    return said


def crash(monkeypatch):
    """An error of ours while the secret is in the variables of the frames."""

    def broken(*args, **kwargs):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(seals, "checksum_of", broken)
    browser = browser_of("Admin")
    browser.raise_request_exception = False
    form = {"name": "crash", "env": "dev", "provider": "x", "value": SECRETS[0]}
    answer = browser.post("/admin/vault/securekey/add/", form)
    assert answer.status_code == 500
    return answer


def in_any_form(text):
    return [one for one in SECRETS if one in text or escaped(one) in text]


def escaped(text):
    return text.encode("unicode_escape").decode()


@pytest.mark.django_db(transaction=True)
def test_a_scan_of_all_that_is_written_and_answered_finds_no_secret(client, monkeypatch, logged):
    answers = everything(client)
    answers.append(crash(monkeypatch))
    monkeypatch.undo()

    for answer in answers:
        assert in_any_form(answer.content.decode()) == [], answer.request["PATH_INFO"]
        assert in_any_form(str(answer.headers)) == []
    written = logged.getvalue()
    assert "a fault of ours" in written
    assert in_any_form(written) == []
    assert KeyAudit.objects.filter(success=False).count() >= 8
    tables = copied()
    assert {"vault_keyversion", "vault_keyaudit", "events_event", "events_operatoraction"} <= {
        *tables
    }
    assert {name for name, rows in tables.items() if in_any_form(rows)} == set()
    dump = dumped()
    assert "vault_keyversion" in dump
    assert in_any_form(dump) == []


BYTES = re.compile(r"\\x((?:[0-9a-f]{2})+)")
COPY = "COPY (SELECT * FROM {}) TO STDOUT"


def copied():
    """Every table as COPY writes it."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p')"
        )
        for (name,) in cursor.fetchall():
            # Bytes as text, too: what is no secret in hex may be one as it stands.
            with cursor.cursor.copy(COPY.format(name)) as rows:
                text = b"".join(map(bytes, rows)).decode()
            found[name] = text + unhexed(text)
    return found


def unhexed(text):
    """What columns of bytes hold, as text."""
    return " ".join(bytes.fromhex(one).decode(errors="replace") for one in BYTES.findall(text))


def dumped():
    """The database as `pg_dump` writes it."""
    found = connection.get_connection_params()
    environment = {**os.environ, "PGPASSWORD": str(found.get("password", ""))}
    command = [
        str(cluster.installed() / "pg_dump"),
        *("-h", str(found["host"]), "-p", str(found["port"])),
        *("-U", str(found["user"]), "-d", str(found["dbname"])),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    return done.stdout + unhexed(done.stdout)


@pytest.mark.django_db
def test_a_secret_is_not_in_what_a_reader_gets_but_in_its_value():
    make_key(SECRETS[0])

    found = read(Selector(provider="openai"), by="tests")

    assert in_any_form(repr(found)) == []
    assert in_any_form(repr(transitions.Draft(value=SECRETS[0], provider="x"))) == []
    assert found.value == SECRETS[0]


def test_the_scan_would_find_a_secret():
    assert in_any_form(f"x{SECRETS[2]}y") == [SECRETS[2]]
    assert in_any_form(escaped(SECRETS[2])) == [SECRETS[2]]
    assert in_any_form(unhexed(f"a\\\\x{SECRETS[0].encode().hex()}\tb")) == [SECRETS[0]]
    assert settings.KEY_VAULT_MODE == "dev"
