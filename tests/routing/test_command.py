"""`manage.py call_model`."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from routing.models import RoutingSnapshot, UsageCounter
from tests.routing.calling import failing
from tests.routing.making import make_model

pytestmark = pytest.mark.django_db(transaction=True)


def call(*arguments):
    said = StringIO()
    call_command("call_model", "Is it?", *arguments, stdout=said)
    return said.getvalue()


def test_an_answer_is_printed_with_who_gave_it_and_what_it_cost(serve):
    make_model("one", "gpt", url=serve().url)

    assert call() == "yes\n(one/gpt, 10 tokens in, 5 out, 0.020000000 USD)\n"


def test_many_at_once_as_json(serve):
    make_model("one", "gpt", url=serve().url)

    lines = call("--times", "6", "--at-once", "3", "--json", "--channel", "c", "--agent", "a")

    found = [json.loads(line) for line in lines.splitlines()]
    assert [one["provider"] for one in found] == ["one"] * 6
    assert {one["request_id"] for one in found} == set(
        RoutingSnapshot.objects.values_list("request_id", flat=True)
    )
    usage = UsageCounter.objects.get()
    assert (usage.calls, usage.channel, usage.agent) == (6, "c", "a")


def test_calls_that_are_not_answered_are_said(serve):
    make_model("one", url=serve(failing(500)).url)

    with pytest.raises(CommandError, match="2 of 2 calls were not answered"):
        call("--times", "2")


@pytest.mark.parametrize(
    "wrong",
    [["--times", "0"], ["--at-once", "33"], ["--answer-tokens", "-1"], ["--channel", "x" * 201]],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(CommandError):
        call(*wrong)
