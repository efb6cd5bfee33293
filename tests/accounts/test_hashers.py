import os
import subprocess
import sys
import threading
import time

import httpx
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password

from accounts import hashers
from accounts.models import User
from tests.serving import NO_TLS, serving

ENVIRONMENT = os.environ | {"DJANGO_SETTINGS_MODULE": "coordinator_project.settings"}
FORKS = """
import os, sys, django
django.setup()
from django.contrib.auth.hashers import check_password, make_password
hashed = make_password("sesame")
if pid := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
os._exit(0 if check_password("sesame", hashed) else 1)
"""


@pytest.fixture(autouse=True)
def _slow(monkeypatch):
    """A hash takes a tenth of a second, as it does on a fast machine."""
    monkeypatch.setattr(
        hashers.PatientPBKDF2Hasher, "iterations", PBKDF2PasswordHasher.iterations // 4
    )


def test_hashes_are_those_of_django():
    hashed = make_password("sesame")

    assert check_password("sesame", hashed)
    assert not check_password("open", hashed)
    assert PBKDF2PasswordHasher().verify("sesame", hashed)
    assert check_password("sesame", PBKDF2PasswordHasher().encode("sesame", "salt"))


def test_hashing_gives_way_to_all_other_threads_where_agents_are_served():
    code = """if True:
        import os, threading, django
        django.setup()
        from accounts import hashers
        def nice():
            return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        hashers.give_way()
        print(hashers._hashing.thread.submit(nice).result() - nice())
    """
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True)

    assert done.stdout.split() == [str(hashers.NICE).encode()], done.stderr


def test_a_process_that_was_forked_after_the_first_hash_has_a_thread_of_its_own():
    subprocess.run([sys.executable, "-c", FORKS], env=ENVIRONMENT, check=True, timeout=60)


SIGN_INS_WITHOUT_LIMIT = {"COORDINATOR_SIGN_IN_FAILURES": "0", "COORDINATOR_RATE_SIGN_IN": "off"}


@pytest.fixture
def server(transactional_db):
    with serving(**SIGN_INS_WITHOUT_LIMIT) as server:
        yield server


def test_heartbeats_do_not_wait_for_sign_ins(server):
    """Far more sign-ins than threads; those beyond the bound are asked to come again."""
    User.objects.create_user("operator", password="correct horse battery")
    with httpx.Client(base_url=server.url, verify=NO_TLS) as browser:
        browser.get("/login")
        token = browser.cookies["csrftoken"]
    form = {"username": "operator", "password": "wrong", "csrfmiddlewaretoken": token}
    statuses = []

    def sign_in():
        cookies = {"csrftoken": token}
        answer = httpx.post(
            f"{server.url}/login", data=form, cookies=cookies, timeout=100, verify=NO_TLS
        )
        statuses.append((answer.status_code, answer.headers.get("Retry-After")))

    people = [threading.Thread(target=sign_in) for _ in range(64)]
    for person in people:
        person.start()
    times = []
    with server.client() as agent:
        while not statuses or len(times) < 10:
            started = time.monotonic()
            assert agent.post("/v1/agents/heartbeat", json={"agent_id": "a"}).status_code == 200
            times.append(time.monotonic() - started)
    for person in people:
        person.join()

    # All hashes before them would take many seconds.
    assert sorted(times)[len(times) // 2] < 1.0
    assert set(statuses) == {(200, None), (503, "1")}
