"""Clicks of people in the admin: what a verb would do, and doing it."""

import re
from html import unescape

from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import reverse

from accounts.models import User
from events.models import OperatorAction
from tests.console.people import make_person


def signed_in(group: str) -> Client:
    """The browser of a person of this group."""
    known = User.objects.filter(username=group.lower()).first()
    client = Client()
    client.force_login(known or make_person(group))
    return client


def verb_page(row, verb: str) -> str:
    return reverse(f"{_list(row)}_verb", args=[quote(row.pk), verb])


def preview(client, row, verb: str) -> list[str]:
    """The sentences that stand on the page behind the button."""
    page = client.get(verb_page(row, verb))
    assert page.status_code == 200
    return sentences(page)


def sentences(page) -> list[str]:
    will = page.content.decode().partition('<ul id="will"')[2].partition("</ul>")[0]
    return [unescape(sentence) for sentence in re.findall(r"<li>(.*?)</li>", will)]


def click(client, row, verb: str, reason: str = "it hangs", **values):
    """Press the button, give a reason and confirm; the page that follows."""
    posted = {"confirmed": "yes", "reason": reason, **values}
    return client.post(verb_page(row, verb), posted, follow=True)


def choose(client, rows, verb: str, *, across: bool = False, path: str = "", **posted):
    """Mark rows of the list and choose a verb for them; `across`: all that match, too."""
    form = {
        "action": verb,
        "_selected_action": [str(row.pk) for row in rows],
        "select_across": "1" if across else "0",
        "index": "0",
        **posted,
    }
    return client.post(reverse(f"{_list(rows[0])}_changelist") + path, form, follow=True)


def told(page) -> list[str]:
    """The messages on top of a page."""
    return [str(message) for message in page.context["messages"]]


def audit(row) -> list[tuple[str, str, str, str]]:
    """What the operators' audit says of a row: verb, actor, reason, and the code of a refusal."""
    actions = OperatorAction.objects.about(row._meta.model_name, row.pk).order_by("id")
    return [(one.verb, one.actor, one.reason, one.refused) for one in actions]


def _list(row) -> str:
    return f"admin:{row._meta.app_label}_{row._meta.model_name}"
