"""Pages of the admin, and the clicks by which a person uses a verb on a row or on a list."""

import re
from html import unescape

from django.contrib.admin.utils import quote
from django.urls import reverse

from events.models import OperatorAction


def page_of(row, page: str = "change", *more) -> str:
    opts = row._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=[quote(row.pk), *more])


def list_of(model) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def preview(browser, row, verb: str) -> list[str]:
    """The sentences on the page of the verb, before it is confirmed."""
    page = browser.get(page_of(row, "verb", verb))
    assert page.status_code == 200
    return sentences(page)


def sentences(page) -> list[str]:
    will = page.content.decode().partition('<ul id="will"')[2].partition("</ul>")[0]
    return [unescape(sentence) for sentence in re.findall(r"<li>(.*?)</li>", will)]


def click(browser, row, verb: str, reason: str = "it hangs", **values):
    """Confirm the verb on the row's page; returns the page that follows."""
    form = {"confirmed": "yes", "reason": reason} | values
    return browser.post(page_of(row, "verb", verb), form, follow=True)


def choose(
    browser, rows, verb: str, *, confirmed=True, reason="it hangs", across=False, query="", **values
):
    """Mark the rows in their list and confirm the verb on them, or with `across` on all matches."""
    form = {"action": verb, "index": 0, "select_across": int(across)}
    form["_selected_action"] = [str(row.pk) for row in rows]
    if confirmed:
        form |= {"confirmed": "yes", "reason": reason} | values
    return browser.post(list_of(type(rows[0])) + query, form, follow=True)


def messages_of(page) -> list[str]:
    """The messages at the top of a page."""
    return [str(message) for message in page.context["messages"]]


def audit(row) -> list[tuple[str, str, str, str]]:
    """The operators' actions on a row: verb, actor, reason, and the code of a refusal."""
    actions = OperatorAction.objects.about(row._meta.model_name, row.pk).order_by("id")
    return [(one.verb, one.actor, one.reason, one.refused) for one in actions]
