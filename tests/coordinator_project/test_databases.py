import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from coordinator_project import databases


def test_a_url_becomes_settings():
    found = databases.settings_for(
        "DB_URI", "postgresql://me:p%40ss@db.example:6543/queue?sslmode=require"
    )

    place = {name: found[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    assert place == {
        "NAME": "queue",
        "USER": "me",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "6543",
    }
    assert found["OPTIONS"]["sslmode"] == "require"
    assert "-c statement_timeout=30s" in found["OPTIONS"]["options"]


def test_options_of_the_url_come_after_ours_and_win():
    found = databases.settings_for(
        "DB_URI", "postgresql://db/queue?options=-c%20statement_timeout%3D5s"
    )

    assert found["OPTIONS"]["options"].endswith(" -c statement_timeout=5s")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///db.sqlite3",
        "jdbc:postgresql://me:secret@db/name",
        "mysql://me:secret@db/name",
        "db.sqlite3",
    ],
)
def test_another_kind_of_database_is_refused_without_telling_its_password(url):
    with pytest.raises(ImproperlyConfigured) as refusal:
        databases.settings_for("DATABASE_URL", url)

    assert "DATABASE_URL" in str(refusal.value)
    assert "COORDINATOR_DATABASE_URL=postgresql://" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_url_that_postgresql_does_not_understand_is_refused_without_its_password():
    with pytest.raises(ImproperlyConfigured) as refusal:
        databases.settings_for("DB_URI", "postgresql://me:secret@db/name?nonsense=1")

    assert "secret" not in str(refusal.value)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "20s"),
        ("plan_cache_mode", "force_generic_plan"),
        ("timezone", "UTC"),
    ],
)
def test_a_session_has_the_limits_that_the_stream_relies_on(name, value):
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")

        assert cursor.fetchone() == (value,)
