"""What a person does in the admin to use a verb, on a page or on a list."""

from django.contrib.admin.utils import quote
from django.urls import reverse


def page_of(row, page: str = "change", *more):
    opts = row._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=[quote(row.pk), *more])


def list_of(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def use(browser, row, verb: str, reason: str = "because", **values):
    """Press the verb's button on the row's page and confirm it."""
    answer = {"confirmed": "yes", "reason": reason} | values
    return browser.post(page_of(row, "verb", verb), answer, follow=True)


def use_on_list(
    browser, rows, verb: str, *, confirmed: bool = True, across=False, query="", **values
):
    """Mark the rows in their list and use the verb, or with `across` on all that match."""
    marked = {"action": verb, "index": 0, "select_across": int(across)}
    marked["_selected_action"] = [str(row.pk) for row in rows]
    if confirmed:
        marked |= {"confirmed": "yes", "reason": "because"} | values
    return browser.post(list_of(type(rows[0])) + query, marked, follow=True)


def told(response) -> list[str]:
    """The messages that the page shows."""
    return [str(message) for message in response.context["messages"]]
