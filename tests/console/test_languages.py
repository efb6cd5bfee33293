"""The console in the language of its reader."""

import re

import pytest
from django.urls import reverse

from chains import transitions as chains
from tests.console.clicking import click, messages_of, preview
from tests.console.people import browser_of
from tests.factories import fresh, give, make_agent, make_chain, steps_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain():
    """A chain of three tasks; agent-1 holds the first."""
    made = make_chain(tasks=3)
    give(make_agent("agent-1"), made.channel)
    return fresh(made)


def reading(language):
    operator = browser_of("Operator")
    operator.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    return operator


@pytest.mark.parametrize(
    ("language", "will"),
    [
        (
            "ko",
            [
                "기다리는 작업 2개를 풀어 줍니다.",
                "실행 중인 작업 1개를 사람이 결정할 때까지 잠급니다.",
                "에이전트 agent-1의 소유가 끝납니다.",
            ],
        ),
        (
            "ru",
            [
                "Освободит 2 ожидающие задачи.",
                "Заблокирует 1 выполняемую задачу, пока не решит человек.",
                "Владение агента agent-1 прекратится.",
            ],
        ),
    ],
)
def test_a_preview_is_in_the_language_of_its_reader(chain, language, will):
    assert preview(reading(language), chain, "detach") == will


@pytest.mark.parametrize(
    ("language", "message"),
    [("ko", "분리: 1개 완료."), ("ru", "Отсоединить: выполнено для 1.")],
)
def test_a_message_is_in_the_language_of_its_reader(chain, language, message):
    page = click(reading(language), chain, "detach")

    assert message in messages_of(page)


@pytest.mark.parametrize(
    ("language", "text", "remedy"),
    [
        ("ko", "체인이 1번 작업 때문에 잠겼습니다", "그 작업의 잠금을 푸세요."),
        ("ru", "Её цепочку блокирует задача 1", "Разблокируйте ту задачу"),
    ],
)
def test_the_reasons_of_a_task_are_in_the_language_of_their_reader(chain, language, text, remedy):
    chains.detach(chain.pk, owner_id=None, by="tests")
    task = steps_of(chain)[1]

    page = reading(language).get(reverse("admin:tasks_task_change", args=[task.pk]))

    assert text in page.content.decode()
    assert remedy in page.content.decode()


@pytest.mark.parametrize(
    ("language", "said"), [("ko", ["날짜", "값 선택"]), ("ru", ["Дата", "Выберите значение"])]
)
def test_a_form_has_no_words_of_another_language(language, said):
    administrator = browser_of("Admin")
    administrator.defaults["HTTP_ACCEPT_LANGUAGE"] = language

    page = administrator.get(reverse("admin:accounts_apitoken_add")).content.decode()

    assert all(word in page for word in said)
    assert not re.search(r"\b(Date|Time|Select value)\b", re.sub(r"<[^>]*>", "", page))
    assert not re.search(r'placeholder="(Date|Time)"', page)
