"""Signed URLs and quotas of real servers."""

import http.client
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from tests.accounts.tokens import client_of, issue
from tests.artifacts.calls import sha256
from tests.console.people import make_person
from tests.factories import make_held_task
from tests.serving import NO_TLS, TOKEN, serving

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "a b/ü %2F 100%.txt"
CONTENT = b"0123456789" * 100_000


def ask(url, method="GET", **headers):
    """Status, headers and body of what a program without a credential is answered."""
    split = urlsplit(url)
    client = http.client.HTTPConnection(split.netloc, timeout=60)
    try:
        client.request(method, f"{split.path}?{split.query}", headers=headers)
        answer = client.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        client.close()


def put(client, task):
    path = f"/v1/tasks/{task.pk}/artifacts/{quote(NAME, safe='/')}"
    query = {"agent_id": task.agent_id, "lease_epoch": task.lease_epoch}
    headers = {"X-Content-SHA256": sha256(CONTENT)}
    response = client.put(path, content=CONTENT, params=query, headers=headers)
    assert response.status_code == 201, response.content


def signed(client, task):
    query = {"bucket": "artifacts", "path": f"{task.pk}/{NAME}"}
    response = client.get("/functions/v1/sign-artifact", params=query)
    assert response.status_code == 200, response.content
    return response.json()["url"]


def test_a_signed_url_of_a_server_is_good_for_anybody_and_in_no_log(tmp_path):
    store = {"OBJECT_STORE_BASE_PATH": str(tmp_path / "objects")}
    with serving(COORDINATOR_LOG_LEVEL="DEBUG", **store) as server, server.client() as client:
        task = make_held_task()
        put(client, task)
        url = signed(client, task)

        whole, part = ask(url), ask(url, Range="bytes=5-7")
        head = ask(url, "HEAD")
        tampered = ask(url.replace("sig=", "sig=x"))
        elsewhere = ask(url.replace("%252F", "%2F"))
        posted = ask(url, "POST")
        server.stop()
        log = "".join(server.errors)

    assert url.startswith(f"{server.url}/files/artifacts/{task.pk}/a%20b/")
    assert (whole[0], whole[2] == CONTENT) == (200, True)
    assert (part[0], part[2]) == (206, b"567")
    assert (head[0], head[1]["Content-Length"], head[2]) == (200, str(len(CONTENT)), b"")
    assert (tampered[0], elsewhere[0], posted[0]) == (403, 403, 405)
    assert b"signature_invalid" in tampered[2]
    [sig] = parse_qs(urlsplit(url).query)["sig"]
    assert "/files/artifacts/" in log
    assert sig not in log


def test_the_quota_of_a_day_is_one_for_all_processes_and_lasts_over_a_restart():
    person = make_person("Viewer")
    secret, others = (issue(user=person).secret for _ in range(2))
    quota = {"COORDINATOR_FUNCTION_DAILY_QUOTA": "6"}
    with serving(**quota) as one, serving(**quota) as other:

        def called(server, token=secret):
            headers = {"Authorization": f"Bearer {token}"}
            path = f"{server.url}/functions/v1/workers-active"
            return httpx.get(path, headers=headers, timeout=40, verify=NO_TLS)

        taken = [called(server).status_code for _ in range(3) for server in (one, other)]
        refused = called(one), called(other)
        one.stop()
        one.start()
        after = called(one)
        of_others = called(one, others), called(one, TOKEN)

    assert taken == [200] * 6
    for answer in (*refused, after):
        assert answer.status_code == 429
        assert answer.json()["code"] == "rate_limited"
        assert answer.headers["RateLimit-Limit"] == "6"
    assert [answer.status_code for answer in of_others] == [200, 200]
    assert client_of(secret).get("/v1/tasks").status_code == 200  # which is no function
