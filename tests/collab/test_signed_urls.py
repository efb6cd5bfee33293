"""Signed URLs: made for those who may see a file, good for it alone, until they expire."""

import logging
import time
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from django.test import Client

from accounts.models import User
from artifacts.models import Artifact
from collab import signing
from tasks.models import Task
from tests.accounts.tokens import client_of, issue, of_agent, of_person
from tests.artifacts.calls import Runner, body
from tests.artifacts.conftest import folder  # noqa: F401 (a fixture: a store in a folder)
from tests.collab.calls import UNKNOWN, refusal
from tests.collab.functions import Functions
from tests.console.people import make_person
from tests.factories import make_job, tasks_of

pytestmark = pytest.mark.django_db

CONTENT = b"0123456789"
ELSEWHERE = "192.0.2.7"
OLD, NEW = "an old key of this house", "a new key of this house"


@pytest.fixture
def functions(client):
    return Functions(client)


@pytest.fixture
def runner(client):
    runner = Runner(client)
    assert runner.put("out/log.txt", CONTENT).status_code == 201
    return runner


def path_of(runner, name="out/log.txt"):
    return f"{runner.task.pk}/{name}"


def signed(functions, path, **query):
    """The URL, as the answer has it."""
    return functions.read("sign-artifact", bucket="artifacts", path=path, **query)["url"]


def fetch(url, client=None, method="GET", **headers):
    """What a program without a credential gets, which may be in another network."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    client = client or Client(REMOTE_ADDR=ELSEWHERE)
    answer = client.generic(method, url.partition("testserver")[2] or url, headers=named)
    answer.said = body(answer)  # read to its end, which closes the file
    return answer


def changed(url, **parts):
    """The URL with other parts of its query."""
    split = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(split.query).items()} | parts
    given = {name: value for name, value in query.items() if value is not None}
    return f"{split.path}?{urlencode(given)}"


def test_a_file_is_signed_and_fetched_without_a_credential(functions, runner):
    path = path_of(runner)

    answer = functions.read("sign-artifact", bucket="artifacts", path=path)
    file = fetch(answer["url"])

    assert answer | {"url": ""} == {
        "url": "",
        "bucket": "artifacts",
        "path": path,
        "expires": 3600,
    }
    assert answer["url"].startswith(f"http://testserver/files/artifacts/{path}?exp=")
    assert (file.status_code, file.said) == (200, CONTENT)
    assert file["Content-Disposition"] == 'attachment; filename="log.txt"'
    assert file["X-Content-Type-Options"] == "nosniff"
    assert file["Content-Type"] == "text/plain"
    assert file["ETag"]
    assert file["Cache-Control"] == "private, no-cache"


def test_parts_copies_and_heads_are_answered_as_for_any_file(functions, runner):
    url = signed(functions, path_of(runner))
    etag = fetch(url)["ETag"]

    part = fetch(url, Range="bytes=2-4")
    assert (part.status_code, part.said) == (206, b"234")
    assert part["Content-Range"] == "bytes 2-4/10"
    assert fetch(url, Range="bytes=10-").status_code == 416
    assert fetch(url, If_None_Match=etag).status_code == 304
    head = fetch(url, method="HEAD")
    assert (head.status_code, head["Content-Length"], head.content) == (200, "10", b"")


def test_a_signed_url_is_good_once_tokens_exist_and_asks_for_none(functions, runner):
    url = signed(functions, path_of(runner))
    of_person("Viewer")

    assert fetch(changed(url)).status_code == 200
    assert Client().get(f"{runner.path}/artifacts/out/log.txt").status_code == 401


def test_the_url_is_of_the_host_and_the_scheme_that_the_client_sees(settings, runner):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["work.example.org"]
    token = client_of(of_person("Viewer").secret)
    path = f"/functions/v1/sign-artifact?bucket=artifacts&path={path_of(runner)}"
    behind = {"x-forwarded-proto": "https", "host": "work.example.org"}

    url = token.get(path, headers=behind).json()["url"]

    assert url.startswith("https://work.example.org/files/artifacts/")
    split = urlsplit(url)
    assert fetch(f"{split.path}?{split.query}", Client(), **behind).status_code == 200


def test_names_are_spelled_so_that_any_client_can_send_them(functions, runner):
    for name in ("a b/ü?#&=+.txt", "100%/résumé.txt", "..hidden", "a/...b"):
        assert runner.put(quote(name, safe="/"), CONTENT).status_code == 201

        url = signed(functions, path_of(runner, name))

        assert fetch(url).said == CONTENT, name


def test_the_date_of_a_file_may_stand_before_its_job(functions, runner):
    path = f"2026/01/31/{path_of(runner)}"

    answer = functions.read("sign-artifact", bucket="artifacts", path=path)

    assert answer["path"] == path
    assert fetch(answer["url"]).said == CONTENT


def test_a_url_expires(functions, runner, monkeypatch):
    now = time.time()
    url = signed(functions, path_of(runner), expires=60)

    monkeypatch.setattr(signing.time, "time", lambda: now + 58)
    assert fetch(url).status_code == 200
    monkeypatch.setattr(signing.time, "time", lambda: now + 61)
    assert refusal(fetch(url)) == (403, "signature_expired")
    assert refusal(fetch(changed(url, sig="x"))) == (403, "signature_invalid")


def test_how_long_it_is_good_is_said_by_a_setting_or_the_caller(functions, runner, settings):
    for seconds in (60, 86_400):
        answer = functions.read(
            "sign-artifact", bucket="artifacts", path=path_of(runner), expires=seconds
        )
        assert answer["expires"] == seconds
    settings.SIGNED_URL_LASTS = signing_time = settings.SIGNED_URL_LASTS / 2
    answer = functions.read("sign-artifact", bucket="artifacts", path=path_of(runner))
    [expires] = parse_qs(urlsplit(answer["url"]).query)["exp"]
    assert answer["expires"] == signing_time.total_seconds() == 1800
    assert abs(int(expires) - time.time() - 1800) < 5


def test_another_signature_time_key_path_or_bucket_is_refused(functions, runner):
    runner.put("other.txt", b"secret")
    url = signed(functions, path_of(runner))
    of_other = signed(functions, path_of(runner, "other.txt"))
    query = urlsplit(url).query
    parts = {name: values[0] for name, values in parse_qs(query).items()}
    sig = parts["sig"]

    wrong = [
        changed(url, exp=str(int(parts["exp"]) + 1)),
        changed(url, exp=f"0{parts['exp']}"),
        changed(url, exp=f"{parts['exp']} "),
        changed(url, exp=""),
        changed(url, exp="٣"),
        changed(url, exp=None),
        changed(url, kid="00000000"),
        changed(url, kid=None),
        changed(url, sig=sig[:-1]),
        changed(url, sig=f"{sig}="),
        changed(url, sig=sig.swapcase()),
        changed(url, sig=parse_qs(urlsplit(of_other).query)["sig"][0]),
        changed(url, sig=""),
        changed(url, sig="ü\0"),
        changed(url, sig=None),
        urlsplit(url).path,
        f"/files/artifacts/{path_of(runner, 'other.txt')}?{query}",
        f"/files/artifacts/2026/01/31/{path_of(runner)}?{query}",
        f"/files/artifacts/{path_of(runner)}/?{query}",
        f"/files/artifacts/{path_of(runner).upper()}?{query}",
        f"/files/artifacts/{runner.task.pk}/out/../out/log.txt?{query}",
        f"/files/artifacts/{runner.task.pk}/out//log.txt?{query}",
        f"/files/artifacts/{runner.task.pk}/out%5Clog.txt?{query}",
        f"/files/artifacts/{path_of(runner)}%00?{query}",
        f"/files/Artifacts/{path_of(runner)}?{query}",
        f"/files/artifacts%0A/{path_of(runner)}?{query}",
        # As if there were nothing: nobody learns by such a URL what there is.
        f"/files/artifacts/{path_of(runner, 'nothing')}?{query}",
        f"/files/nothing/nothing?{query}",
    ]

    for one in wrong:
        assert refusal(fetch(one)) == (403, "signature_invalid"), one
    assert fetch(url).status_code == 200


def test_a_url_is_good_for_no_other_attempt_than_the_last(client, functions, runner):
    """What else stands in the query changes nothing."""
    url = signed(functions, path_of(runner))
    Artifact.objects.filter(task=runner.task).update(epoch=0)
    assert runner.put("out/log.txt", b"newer").status_code == 201

    assert fetch(f"{url}&attempt=0").said == b"newer"


def test_keys_are_rotated(functions, runner, settings):
    settings.SIGNING_KEYS = [OLD]
    of_old = signed(functions, path_of(runner))
    settings.SIGNING_KEYS = [NEW, OLD]
    of_new = signed(functions, path_of(runner))

    assert fetch(of_old).status_code == fetch(of_new).status_code == 200
    assert parse_qs(urlsplit(of_old).query)["kid"] != parse_qs(urlsplit(of_new).query)["kid"]
    [kid] = parse_qs(urlsplit(of_new).query)["kid"]
    assert refusal(fetch(changed(of_old, kid=kid))) == (403, "signature_invalid")
    settings.SIGNING_KEYS = [NEW]
    assert refusal(fetch(of_old)) == (403, "signature_invalid")
    assert fetch(of_new).status_code == 200


def test_without_keys_one_of_the_secret_key_signs(functions, runner, settings):
    url = signed(functions, path_of(runner))

    assert fetch(url).status_code == 200
    settings.SECRET_KEY = f"{settings.SECRET_KEY} another"
    assert refusal(fetch(url)) == (403, "signature_invalid")


def test_what_there_is_not_is_neither_signed_nor_fetched(functions, runner):
    url = signed(functions, path_of(runner))
    [of_sweep] = tasks_of(make_job(tasks=1))
    Artifact.objects.filter(task=runner.task).update(task=of_sweep)

    for path in (path_of(runner), f"{of_sweep.pk}/out/log.txt", f"{UNKNOWN}/a", "a/b", "a"):
        answer = functions.get("sign-artifact", bucket="artifacts", path=path)
        assert refusal(answer) == (404, "not_found"), path
    for bucket in ("Artifacts", "other", "artifacts\0"):
        answer = functions.get("sign-artifact", bucket=bucket, path=path_of(runner))
        assert refusal(answer) == (404, "not_found"), bucket
    assert refusal(fetch(url)) == (404, "not_found")


@pytest.mark.parametrize(
    "query",
    [
        {"path": ""},
        {"bucket": ""},
        {"path": "/{path}"},
        {"path": "../{path}"},
        {"path": "{job}/out/../out/log.txt"},
        {"path": "{job}/./log.txt"},
        {"path": "{job}\\out"},
        {"path": "{path}\0"},
        {"path": "{path}\ud800"},
        {"path": "{job}/" + "x" * 1025},
        {"expires": "59"},
        {"expires": "86401"},
        {"expires": "-60"},
        {"expires": "1e3"},
        {"expires": "x"},
        {"expires": "9" * 400},
    ],
)
def test_bad_input_is_refused_and_nothing_is_signed(functions, runner, query):
    named = {"path": path_of(runner), "job": runner.task.pk}
    given = {"bucket": "artifacts", "path": "{path}"} | query
    filled = {name: value.format(**named) for name, value in given.items()}
    text = urlencode(filled, errors="surrogatepass")

    answer = functions.client.get(f"/functions/v1/sign-artifact?{text}")

    assert refusal(answer) == (400, "validation_error")
    assert "sig=" not in answer.content.decode()


def test_only_what_the_caller_may_see_is_signed(runner):
    me, user = of_person("User").secret, User.objects.get(username="user")
    mine, viewer = Functions(client_of(me)), Functions(client_of(of_person("Viewer").secret))
    given = {"bucket": "artifacts", "path": path_of(runner)}
    other = User.objects.create_user("other")

    for owner, status in ((None, 200), (user, 200), (other, 403)):
        Task.objects.filter(pk=runner.task.pk).update(user=owner)
        assert mine.get("sign-artifact", **given).status_code == status
        assert viewer.get("sign-artifact", **given).status_code == 200
    # Of what is another's, nobody learns whether it is there.
    nothing = mine.get("sign-artifact", bucket="artifacts", path=path_of(runner, "nothing"))
    assert refusal(nothing) == (403, "forbidden")
    agent = Functions(client_of(of_agent(runner.task.agent_id).secret))
    assert refusal(agent.get("sign-artifact", **given)) == (403, "forbidden")


@pytest.mark.parametrize(("scope", "status"), [("sign", 200), ("read", 403), ("ops", 403)])
def test_a_limited_token_signs_by_its_scope_alone(runner, scope, status):
    secret = issue(user=make_person("Admin"), scopes=[scope]).secret
    functions = Functions(client_of(secret))

    answer = functions.get("sign-artifact", bucket="artifacts", path=path_of(runner))

    assert answer.status_code == status
    assert client_of(secret).get(f"{runner.path}/artifacts/out/log.txt").status_code == 403


def test_no_log_has_a_signature(functions, runner, caplog):
    url = signed(functions, path_of(runner))
    [sig] = parse_qs(urlsplit(url).query)["sig"]

    with caplog.at_level(logging.DEBUG):
        fetch(url)
        fetch(changed(url, kid="0"))
        Artifact.objects.all().delete()
        fetch(url)

    logged = " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "/files/artifacts" in logged
    assert sig not in logged
