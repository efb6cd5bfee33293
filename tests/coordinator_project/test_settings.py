import os
import subprocess
import sys

import pytest

from coordinator_project.env import BASE_DIR, secret_key
from tests.coordinator_project.running import environment


def manage(folder, *arguments, **more):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("COORDINATOR_PORT", "http", "COORDINATOR_PORT is 'http'; use a whole number"),
        ("COORDINATOR_DATABASE_URL", "sqlite:///x", "the coordinator runs only on PostgreSQL"),
        ("ORHESTRA_DB_URL", "jdbc:postgresql://db/x", "set COORDINATOR_DATABASE_URL="),
        ("SECRET_KEY", "q", "SECRET_KEY could be guessed: use at least 32 characters"),
        ("SECRET_KEY", "q" * 40, "SECRET_KEY could be guessed"),
        ("COORDINATOR_AUTH_TOKEN", "q", "COORDINATOR_AUTH_TOKEN could be guessed: use at least 8"),
        ("COORDINATOR_AUTH_TOKEN", "qwqwqwqwqw", "COORDINATOR_AUTH_TOKEN could be guessed"),
        ("ORHESTRA_AGENT_KEY", "qwertyu", "ORHESTRA_AGENT_KEY could be guessed: use at least 8"),
        ("OBJECT_STORE_TYPE", "azure", "OBJECT_STORE_TYPE is 'azure'; use one of filesystem,"),
        ("OBJECT_STORE_BUCKET", "A Bucket", "OBJECT_STORE_BUCKET is 'A Bucket'; use a name of"),
        ("OBJECT_STORE_PREFIX", "a/../b", "OBJECT_STORE_PREFIX is 'a/../b'; use names of"),
        ("OBJECT_STORE_BASE_PATH", "manage.py", "manage.py', which is no folder; name one"),
    ],
)
def test_a_wrong_setting_is_refused_with_one_sentence(folder, name, value, sentence):
    done = manage(folder, "check", **{name: value})

    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["storage:9000", "ftp://x", "http://user:word@storage"])
def test_the_address_of_s3_is_one_of_http(folder, address):
    done = manage(folder, "check", OBJECT_STORE_TYPE="s3", REACTORCIDE_S3_ENDPOINT=address)

    assert done.returncode == 1
    assert "REACTORCIDE_S3_ENDPOINT is" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_key_that_was_damaged_is_refused(folder):
    secret_key(folder)
    (folder / "secret_key").write_text("")

    done = manage(folder, "check")

    assert done.returncode == 1
    assert "secret_key is empty: restore it, or delete it" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("more", [{}, {"SECRET_KEY": "0123456789abcdef" * 3}])
def test_a_data_folder_that_cannot_be_made_is_one_sentence(folder, more):
    folder.write_text("a file")

    done = manage(folder, "serve", COORDINATOR_DATABASE_URL="postgresql://127.0.0.1:1/x", **more)

    assert done.returncode == 1
    assert "set COORDINATOR_DATA_DIR to" in done.stderr
    assert "Traceback" not in done.stderr


def test_https_turns_on_its_security_settings(folder):
    names = "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT"
    script = f"from django.conf import settings as s; print([getattr(s, n) for n in {names}])"

    done = manage(folder, "shell", "--no-imports", "-c", script, COORDINATOR_HTTPS="yes")

    assert done.stdout.strip() == "[True, True, True]", done.stderr


def test_check_deploy_is_clean_with_https_and_without(folder):
    for https in ("yes", "no"):
        done = manage(
            folder, "check", "--deploy", "--fail-level", "WARNING", COORDINATOR_HTTPS=https
        )

        assert done.returncode == 0, done.stderr


def test_the_secret_key_is_made_once_and_for_its_owner_alone(folder):
    key = secret_key(folder)

    assert secret_key(folder) == key
    assert len(key) > 60
    assert (folder / "secret_key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(folder) == ["secret_key"]
