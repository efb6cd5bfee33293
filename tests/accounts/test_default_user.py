"""`DEFAULT_USER_ID` and `manage.py create_token`."""

import re
from io import StringIO
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from accounts import bootstrap
from accounts.bootstrap import make_default_user
from accounts.models import ApiToken, User
from accounts.rights import ADMINISTER
from coordinator_project import env
from events.models import OperatorAction
from tests.accounts.tokens import client_of
from tests.console.people import make_person
from tests.racing import at_once

pytestmark = pytest.mark.django_db

ID = UUID("01234567-89ab-cdef-0123-456789abcdef")


def test_the_user_is_made_with_a_token_in_a_file(tmp_path, caplog):
    with caplog.at_level("DEBUG"):
        path = make_default_user(ID, tmp_path)

    secret = path.read_text().strip()
    user = User.objects.get(pk=ID)
    assert path == tmp_path / "default_user.token"
    assert [one.name for one in tmp_path.iterdir()] == ["default_user.token"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert user.has_perm(ADMINISTER)
    assert not user.has_usable_password()
    assert secret not in caplog.text
    made = client_of(secret).post("/api/v1/tokens", {"name": "x"}, "application/json")
    assert (made.status_code, made.json()["user_id"]) == (201, str(ID))
    assert OperatorAction.objects.filter(kind="apitoken", actor="start").count() == 1


def test_it_is_made_once(tmp_path):
    path = make_default_user(ID, tmp_path)
    before = path.read_text()

    assert make_default_user(ID, tmp_path) is None

    assert path.read_text() == before
    assert ApiToken.objects.count() == 1


def test_another_user_may_have_the_name(tmp_path):
    User.objects.create_user("Default")

    make_default_user(ID, tmp_path)

    assert User.objects.get(pk=ID).username == f"default-{ID}"


def test_without_a_file_there_is_no_user_so_the_next_start_makes_both(tmp_path):
    with pytest.raises(FileNotFoundError):
        make_default_user(ID, tmp_path / "missing")

    assert not User.objects.exists()
    assert make_default_user(ID, tmp_path)


@pytest.mark.django_db(transaction=True)
def test_of_two_starts_at_once_one_makes_the_user(tmp_path):
    folders = [tmp_path / name for name in "abcd"]
    for folder in folders:
        folder.mkdir()

    made = at_once(*(lambda folder=folder: make_default_user(ID, folder) for folder in folders))

    [path] = filter(None, made)
    assert User.objects.count() == ApiToken.objects.count() == 1
    files = [one for folder in folders for one in folder.iterdir()]
    assert files == [path]


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(_):
        raise OSError("disk full")

    (tmp_path / "x").write_text("before")
    monkeypatch.setattr(bootstrap.os, "fsync", fail)

    with pytest.raises(OSError, match="disk full"):
        bootstrap.write_secret(tmp_path / "x", "after")

    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("x", "before")]


@pytest.mark.parametrize("given", ["x", "1", "01234567-89ab-cdef-0123-456789abcdeg"])
def test_an_id_that_is_none_is_refused_at_start(monkeypatch, given):
    monkeypatch.setenv("DEFAULT_USER_ID", given)

    with pytest.raises(ImproperlyConfigured, match="DEFAULT_USER_ID is"):
        env.identifier("DEFAULT_USER_ID")


def test_an_id_may_have_any_version(monkeypatch):
    monkeypatch.setenv("DEFAULT_USER_ID", str(ID))
    assert env.identifier("DEFAULT_USER_ID") == ID
    monkeypatch.delenv("DEFAULT_USER_ID")
    assert env.identifier("DEFAULT_USER_ID") is None


def create(*arguments):
    printed = StringIO()
    call_command("create_token", *arguments, stdout=printed)
    return printed.getvalue()


def test_the_first_token_is_said_to_end_protected_mode(capsys):
    make_person("Operator")

    for name in ("one", "two"):
        call_command("create_token", "--user", "operator", "--name", name)
        printed, said = capsys.readouterr()
        assert re.fullmatch("coordinator_[0-9a-f]{64}\n", printed)
        assert ("every request needs a token" in said) is (name == "one")


def test_a_command_makes_a_token_of_a_user_and_prints_it():
    person = make_person("Operator")

    printed = create("--user", "OPERATOR", "--name", "ci", "--days", "7", "--role", "support")

    assert re.fullmatch("coordinator_[0-9a-f]{64}\n", printed)
    token = ApiToken.objects.get()
    assert (token.user, token.role, token.name) == (person, "support", "ci")
    assert (token.expires_at - token.created_at).days in {6, 7}
    assert client_of(printed.strip()).get("/v1/tasks").status_code == 200
    assert OperatorAction.objects.get().actor.startswith("command:")


def test_and_of_agents():
    create("--agent-prefix", "runner-", "--name", "fleet", "--channel", "a", "--channel", "b")
    create("--agent", "runner-1", "--name", "one")

    one, fleet = ApiToken.objects.all()
    assert (fleet.agent, fleet.agent_is_prefix, fleet.channels) == ("runner-", True, ["a", "b"])
    assert (one.agent, one.agent_is_prefix, one.role) == ("runner-1", False, "agent")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--name", "x"],
        ["--user", "nobody", "--name", "x"],
        ["--user", "operator"],
        ["--user", "operator", "--name", " "],
        ["--user", "operator", "--name", "x", "--days", "0"],
        ["--user", "operator", "--name", "x", "--channel", "a"],
        ["--user", "operator", "--name", "x", "--role", "agent"],
        ["--user", "operator", "--agent", "a", "--name", "x"],
        ["--agent", "a", "--name", "x", "--role", "user"],
        ["--agent", "", "--name", "x"],
        ["--agent", "a" * 201, "--name", "x"],
    ],
)
def test_what_makes_no_sense_is_refused(arguments):
    make_person("Operator")

    with pytest.raises(CommandError):
        create(*arguments)

    assert not ApiToken.objects.exists()
