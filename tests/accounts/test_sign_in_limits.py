"""Signing in again and again: who has to wait, what is said, and what is kept."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client
from django.utils import timezone

from accounts.hashers import PatientPBKDF2Hasher
from accounts.models import User
from api.buckets import Buckets, Rate
from api.throttling import limits
from tests.console.people import make_person

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
WRONG = "something else"
FAR = "203.0.113.9"
WAIT = "too many attempts to sign in"


@pytest.fixture(autouse=True)
def three_failures(settings, monkeypatch):
    monkeypatch.setattr(PatientPBKDF2Hasher, "iterations", 1_000)  # there are many sign-ins here
    settings.AXES_FAILURE_LIMIT = 3
    limits.share(1)  # what other tests sent within the minute does not count
    settings.COORDINATOR_AUTH_TOKEN = "so that others than this machine are served"


@pytest.fixture
def operator():
    return make_person("Operator", password=PASSWORD)


def sign_in(name="operator", password=WRONG, address="192.0.2.1", language="en", **headers):
    return Client(REMOTE_ADDR=address).post(
        "/login",
        {"username": name, "password": password},
        headers={"accept-language": language, **headers},
    )


def failed(times, **attempt):
    return [sign_in(**attempt) for _ in range(times)][-1]


def says_wait(page):
    return WAIT in page.content.decode()


@pytest.mark.usefixtures("operator")
def test_after_too_many_failures_even_the_right_password_has_to_wait():
    assert not says_wait(failed(2))
    assert says_wait(failed(1))

    page = sign_in(password=PASSWORD)

    assert page.status_code == 429
    assert says_wait(page)
    assert "Wait 15 minutes" in page.content.decode()
    assert page.headers["Retry-After"] == "900"
    assert "sessionid" not in page.cookies


@pytest.mark.usefixtures("operator")
def test_others_do_not_wait_nor_does_the_same_person_elsewhere():
    make_person("Viewer", password=PASSWORD)
    failed(4)

    assert sign_in("viewer", PASSWORD).status_code == 302
    assert sign_in(password=PASSWORD, address=FAR).status_code == 302


@pytest.mark.usefixtures("operator")
def test_a_sign_in_that_succeeds_begins_the_count_anew():
    failed(2)
    assert sign_in(password=PASSWORD).status_code == 302

    failed(2)

    assert sign_in(password=PASSWORD).status_code == 302


@pytest.mark.usefixtures("operator")
def test_after_the_pause_a_person_signs_in():
    failed(4)
    past = timezone.now() - timedelta(minutes=15, seconds=1)
    AccessAttempt.objects.update(attempt_time=past)

    assert sign_in(password=PASSWORD).status_code == 302


@pytest.mark.usefixtures("operator")
def test_trying_on_does_not_make_the_pause_longer():
    failed(3)
    [begun] = AccessAttempt.objects.values_list("attempt_time", flat=True)

    failed(2)

    assert list(AccessAttempt.objects.values_list("attempt_time", flat=True)) == [begun]


@pytest.mark.usefixtures("operator")
def test_a_name_that_nobody_has_is_answered_alike(monkeypatch):
    hashes = []
    encode = PBKDF2PasswordHasher.encode

    def counted(self, *args):
        hashes.append(args)
        return encode(self, *args)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counted)

    def seen(name):
        hashes.clear()
        pages = [sign_in(name) for _ in range(5)]
        shown = [page.content.decode().replace(name, "…") for page in pages]
        return [page.status_code for page in pages], [_lines(one) for one in shown], len(hashes)

    assert seen("operator") == seen("nobody-at-all")
    assert seen("operator")[2] == 0  # a name that has to wait costs no hash


def _lines(page):
    """A page without the token that is new each time."""
    return [line for line in page.splitlines() if "csrfmiddlewaretoken" not in line]


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("name", ["operator", "nobody"])
def test_all_spellings_of_a_name_count_together_whether_anybody_has_it(name):
    tried = [
        Client()
        .post("/v1/auth/login", {"username": spelled, "password": WRONG}, "application/json")
        .status_code
        for spelled in (name, name.upper(), name.title(), name)
    ]

    assert tried == [401, 401, 429, 429]


def test_a_person_without_a_group_is_told_so_and_told_to_wait_like_others():
    User.objects.create_user("operator", password=PASSWORD)

    assert "Ask an administrator" in sign_in(password=PASSWORD).content.decode()
    assert says_wait(failed(3))
    assert says_wait(sign_in(password=PASSWORD))


@pytest.mark.usefixtures("operator")
def test_the_admin_has_no_sign_in_of_its_own():
    admin = Client(REMOTE_ADDR="192.0.2.1").post(
        "/admin/login/?next=/admin/", {"username": "operator", "password": PASSWORD}
    )

    assert admin.headers["location"] == "/login?next=/admin/"
    assert "sessionid" not in admin.cookies


@pytest.mark.parametrize(
    ("language", "words"),
    [("ko", "로그인 시도가 너무 많습니다"), ("ru", "Слишком много попыток входа")],
)
def test_the_sentence_is_in_the_language_of_the_browser(language, words):
    assert words in failed(3, language=language).content.decode()


def test_many_names_from_one_address_have_to_wait_too(monkeypatch):
    monkeypatch.setattr(limits, "buckets", {"sign_in": Buckets(Rate(2, 120))})

    pages = [sign_in(f"person-{number}") for number in range(3)]

    assert [page.status_code for page in pages] == [200, 200, 429]
    assert "Wait 1 minute," in pages[2].content.decode()
    assert 0 < int(pages[2].headers["Retry-After"]) <= 60
    assert sign_in("person-3", address=FAR).status_code == 200


@pytest.mark.usefixtures("operator")
def test_behind_a_proxy_the_address_is_what_the_proxy_says(settings):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}
    failed(4, **{"x-forwarded-for": "198.51.100.7"})

    elsewhere = sign_in(password=PASSWORD, **{"x-forwarded-for": "198.51.100.8"})
    same = sign_in(password=PASSWORD, **{"x-forwarded-for": "203.0.113.1, 198.51.100.7"})

    assert (elsewhere.status_code, same.status_code) == (302, 429)


@pytest.mark.usefixtures("operator")
def test_without_a_proxy_nobody_says_another_address():
    failed(3, **{"x-forwarded-for": "198.51.100.7"})

    again = sign_in(password=PASSWORD, **{"x-forwarded-for": "198.51.100.8"})

    assert again.status_code == 429


@pytest.mark.usefixtures("operator")
def test_an_address_that_is_none_is_counted_too(settings):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}

    pages = [sign_in(**{"x-forwarded-for": "unknown"}) for _ in range(4)]

    assert [page.status_code for page in pages] == [200, 200, 429, 429]


def login(name="operator", password=WRONG, address="192.0.2.1"):
    body = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post("/v1/auth/login", body, "application/json")


@pytest.mark.usefixtures("operator")
def test_the_api_and_the_page_count_together():
    failed(1)
    login()

    refused = login()
    right = login(password=PASSWORD)

    for answer in (refused, right):
        assert answer.status_code == 429
        assert WAIT in answer.json()["error"]["message"]
        assert answer.headers["Retry-After"] == "900"
    assert sign_in(password=PASSWORD).status_code == 429
    assert login("nobody").status_code == 401
    assert login(password=PASSWORD, address=FAR).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("login", {"username": "nobody", "password": WRONG}),
        ("register", {"username": "x", "password": WRONG}),
        ("agent-token", {"code": "0" * 32}),
    ],
)
def test_an_address_tries_not_often_over_the_api(monkeypatch, settings, path, body):
    settings.REGISTRATION = "user"
    monkeypatch.setattr(limits, "buckets", {"sign_in": Buckets(Rate(2, 120))})

    answers = [
        Client(REMOTE_ADDR=address).post(f"/v1/auth/{path}", body, "application/json")
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.1", FAR)
    ]

    assert [answer.status_code == 429 for answer in answers] == [False, False, True, False]


def test_an_old_password_is_not_tried_often(monkeypatch, operator):
    monkeypatch.setattr(limits, "buckets", {"sign_in": Buckets(Rate(2, 120))})
    browser = Client()
    browser.force_login(operator)
    new = "a quite new sentence"

    def change(old):
        body = {"old_password": old, "new_password1": new, "new_password2": new}
        return browser.post("/password", body)

    assert [says_wait(change(WRONG)) for _ in range(3)] == [False, False, True]
    assert says_wait(change(PASSWORD))
    assert operator.check_password(PASSWORD)


def test_what_was_typed_is_neither_kept_nor_logged(caplog):
    typed = "my-secret-typed-in-the-wrong-field"

    failed(3, name=typed, password=typed)

    [kept] = AccessAttempt.objects.values()
    assert typed not in str(kept)
    assert typed not in caplog.text
    assert "192.0.2.1" in caplog.text


@pytest.mark.usefixtures("operator")
def test_without_a_limit_nobody_has_to_wait(settings):
    settings.AXES_ENABLED = False

    failed(5)

    assert sign_in(password=PASSWORD).status_code == 302
