"""Commands that meet an operational error say one sentence."""

from uuid import UUID

import psycopg
import pytest

from coordinator_project import embedded
from tests.coordinator_project.test_settings import manage

NOBODY = "postgresql://me:secret@127.0.0.1:1/x"


@pytest.fixture
def place(used_folder):
    with embedded.database(used_folder, durable=False) as database:
        yield database.url


def run(folder, url, *arguments):
    done = manage(folder, *arguments, COORDINATOR_DATABASE_URL=url)
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["serve"],
        ["migrate"],
        ["reset", "--dry-run"],
        ["reset_task", str(UUID(int=1)), "--reason", "x"],
        ["purge", "--dry-run"],
    ],
)
def test_a_database_that_is_away_is_one_sentence(folder, command):
    code, said = run(folder, NOBODY, *command)

    assert code == 1
    assert said.startswith("The database is away; try again.\n(connection failed:")
    assert "Connection refused" in said


def test_a_wrong_password_is_one_sentence(folder, place):
    code, said = run(folder, place.replace("coordinator:", "coordinator:x"), "purge", "--dry-run")

    assert code == 1
    assert "password authentication failed" in said


def test_a_database_that_is_not_set_up_is_one_sentence(folder, place):
    with psycopg.connect(place, autocommit=True) as admin:
        admin.execute("CREATE DATABASE empty")

    code, said = run(folder, place.removesuffix("/coordinator") + "/empty", "purge", "--dry-run")

    assert code == 1
    assert said.startswith("The tables are missing, or those of another release: run")


def test_a_read_only_database_is_one_sentence(folder, place):
    with psycopg.connect(place, autocommit=True) as admin:
        admin.execute("ALTER DATABASE coordinator SET default_transaction_read_only = on")

    for command in (["serve"], ["reset", "--reason", "x"]):
        code, said = run(folder, place, *command)

        assert code == 1
        assert said.startswith("The database takes no changes now, only reads")


def test_a_role_without_rights_is_one_sentence(folder, place):
    with psycopg.connect(place, autocommit=True) as admin:
        admin.execute("CREATE ROLE guest LOGIN PASSWORD 'open sesame'")
    url = f"postgresql://guest:open%20sesame@{place.rpartition('@')[2]}"

    code, said = run(folder, url, "purge", "--dry-run")

    assert code == 1
    assert said.startswith("The role of COORDINATOR_DATABASE_URL may not do this")
