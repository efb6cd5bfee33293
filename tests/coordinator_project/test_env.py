import os
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from coordinator_project import env


def test_the_first_name_that_is_set_wins(monkeypatch):
    monkeypatch.setenv("ORHESTRA_PORT", "9001")
    monkeypatch.setenv("PORT", "9002")
    monkeypatch.setenv("COORDINATOR_PORT", "")

    port = env.number("COORDINATOR_PORT", "ORHESTRA_PORT", "PORT", default=8080)

    assert port == 9001


def test_nothing_set_means_the_default(monkeypatch):
    for name in ("COORDINATOR_PORT", "ORHESTRA_PORT", "PORT"):
        monkeypatch.delenv(name, raising=False)

    port = env.number("COORDINATOR_PORT", "ORHESTRA_PORT", "PORT", default=8080)

    assert port == 8080


@pytest.mark.parametrize("wrong", ["many", "-1", "1.5", "70000", "0x50"])
def test_a_wrong_number_is_refused_by_name(monkeypatch, wrong):
    monkeypatch.setenv("ORHESTRA_PORT", wrong)

    with pytest.raises(ImproperlyConfigured) as refusal:
        env.number("COORDINATOR_PORT", "ORHESTRA_PORT", default=8080, most=65_535)

    assert str(refusal.value) == (
        f"ORHESTRA_PORT is {wrong!r}; use a whole number from 0 to 65535."
    )


def test_a_flag_is_yes_or_no(monkeypatch):
    monkeypatch.setenv("COORDINATOR_HTTPS", "true")

    with pytest.raises(ImproperlyConfigured, match="COORDINATOR_HTTPS is 'true'; use 'yes' or"):
        env.flag("COORDINATOR_HTTPS")


def test_a_choice_is_one_of_those_named(monkeypatch):
    monkeypatch.setenv("COORDINATOR_LOG_LEVEL", "LOUD")

    with pytest.raises(ImproperlyConfigured, match="use one of INFO, DEBUG"):
        env.choice("COORDINATOR_LOG_LEVEL", default="INFO", among=("INFO", "DEBUG"))


def test_durations_come_as_durations(monkeypatch):
    monkeypatch.setenv("COORDINATOR_EVENT_RETENTION_DAYS", "0")

    assert env.days("COORDINATOR_EVENT_RETENTION_DAYS", default=30) == timedelta(0)


def test_a_required_text_that_is_missing_is_named(monkeypatch):
    monkeypatch.delenv("COORDINATOR_NAME", raising=False)

    with pytest.raises(ImproperlyConfigured, match="Set the environment variable COORDINATOR_N"):
        env.text("COORDINATOR_NAME")


def test_a_relative_data_folder_counts_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COORDINATOR_DATA_DIR", "some where")

    assert env.data_dir() == tmp_path / "some where"


def test_the_jdbc_address_of_an_older_system_is_refused(monkeypatch):
    monkeypatch.setenv("ORHESTRA_DB_URL", "jdbc:postgresql://db/orhestra")

    with pytest.raises(ImproperlyConfigured, match="set COORDINATOR_DATABASE_URL"):
        env.database_url()


@pytest.fixture
def of_objects(monkeypatch, tmp_path):
    """The object store by these variables and no others."""
    for name in os.environ:
        if name.startswith(("OBJECT_STORE_", "AWS_", "REACTORCIDE_")):
            monkeypatch.delenv(name)

    def store(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return env.object_store(tmp_path)

    return store


def test_objects_are_kept_in_the_data_folder_unless_it_is_said(of_objects, tmp_path):
    assert of_objects() == {
        "kind": "filesystem",
        "base_path": str(tmp_path / "objects"),
        "bucket": "reactorcide-objects",
        "prefix": "reactorcide",
        "options": (),
    }


def test_an_address_of_s3_is_asked_by_paths(of_objects):
    found = of_objects(OBJECT_STORE_TYPE="s3", REACTORCIDE_S3_ENDPOINT="http://127.0.0.1:9000")

    assert dict(found["options"]) == {
        "region": "us-east-1",
        "endpoint": "http://127.0.0.1:9000",
        "virtual_hosted_style_request": False,
        "allow_http": True,
    }


def test_s3_without_an_address_is_that_of_the_region(of_objects):
    found = of_objects(OBJECT_STORE_TYPE="s3", AWS_REGION="eu-west-1")

    assert dict(found["options"]) == {"region": "eu-west-1"}


def test_a_queue_outside_is_named_by_addresses(monkeypatch):
    monkeypatch.setenv("CORNDOGS_BASE_URL", "tcp://a, b:81")
    assert [str(one) for one in env.corndogs("CORNDOGS_BASE_URL")] == [
        "corndogs://a:5080",
        "corndogs://b:81",
    ]
    monkeypatch.delenv("CORNDOGS_BASE_URL")
    assert env.corndogs("CORNDOGS_BASE_URL") == ()


def test_a_wrong_address_is_refused_without_what_it_may_hide(monkeypatch):
    monkeypatch.setenv("CORNDOGS_BASE_URL", "http://user:hunter2@a")

    with pytest.raises(ImproperlyConfigured) as refusal:
        env.corndogs("CORNDOGS_BASE_URL")

    assert str(refusal.value) == (
        "CORNDOGS_BASE_URL is no list of addresses: "
        "put the credential into CORNDOGS_API_KEY, not into the address."
    )


def test_a_credential_that_fits_into_no_header_is_refused(monkeypatch):
    monkeypatch.setenv("CORNDOGS_API_KEY", "hunter2\r\nX: y")

    with pytest.raises(ImproperlyConfigured) as refusal:
        env.header("CORNDOGS_API_KEY")

    assert str(refusal.value) == "CORNDOGS_API_KEY must be ASCII without blanks."


def test_the_project_is_searched_unless_other_folders_are_named(monkeypatch, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()

    assert env.search_roots("ROOTS") == (("project", env.BASE_DIR),)
    monkeypatch.setenv("ROOTS", "off")
    assert env.search_roots("ROOTS") == ()
    monkeypatch.setenv("ROOTS", f"{one}:{two}")
    assert env.search_roots("ROOTS") == (("one", one), ("two", two))


@pytest.mark.parametrize("value", ["relative", "/no/such/folder", "/", "{folder}:{folder}"])
def test_folders_that_cannot_be_searched_are_refused(monkeypatch, tmp_path, value):
    monkeypatch.setenv("ROOTS", value.format(folder=tmp_path))

    with pytest.raises(ImproperlyConfigured, match="ROOTS has"):
        env.search_roots("ROOTS")


@pytest.mark.parametrize("value", ["-0.1", "1.1", "nan", "half"])
def test_a_share_is_from_0_to_1(monkeypatch, value):
    monkeypatch.setenv("SHARE", value)

    with pytest.raises(ImproperlyConfigured, match="use a number from 0 to 1"):
        env.share("SHARE", default=0.5)


def test_the_address_of_an_embedder_is_shown_to_nobody(monkeypatch):
    monkeypatch.setenv("URL", "https://models.example.org/v1/")
    assert env.embeddings_url("URL", "http") == "https://models.example.org/v1"
    monkeypatch.setenv("URL", "https://user:hunter2@models.example.org")

    with pytest.raises(ImproperlyConfigured) as refused:
        env.embeddings_url("URL", "http")

    assert "hunter2" not in str(refused.value)
    assert env.embeddings_url("URL", "hashing")
