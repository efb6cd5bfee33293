"""What the sidebar of the admin offers: pages by what people do, as far as they may see them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.rights import VIEW


class Group(NamedTuple):
    """Pages under one heading, each with its icon."""

    title: object
    pages: Mapping[str, str]


GROUPS: Sequence[Group] = (
    Group(
        _("Operate"),
        {
            "tasks.task": "task_alt",
            "chains.chain": "account_tree",
            "jobs.job": "grid_view",
            "tasks.channel": "alt_route",
            "agents.agent": "smart_toy",
            "artifacts.artifact": "draft",
        },
    ),
    Group(
        _("Records"),
        {"events.event": "receipt_long", "events.operatoraction": "admin_panel_settings"},
    ),
    Group(
        _("People"),
        {"accounts.user": "person", "auth.group": "group", "accounts.apitoken": "key"},
    ),
    Group(
        _("Language models"),
        {
            "routing.provider": "cloud",
            "routing.languagemodel": "psychology",
            "routing.routingpolicy": "rule",
            "routing.providerhealth": "monitor_heart",
            "routing.usagecounter": "bar_chart",
            "routing.routingsnapshot": "history",
        },
    ),
    Group(
        _("Notifications"),
        {
            "notifications.rule": "notifications",
            "notifications.receiver": "send",
            "notifications.delivery": "outbox",
        },
    ),
    Group(_("Vault"), {"vault.securekey": "lock", "vault.keyaudit": "fact_check"}),
)
FOLDED = frozenset({"routing.provider", "notifications.rule", "vault.securekey"})
"""First pages of the groups that are folded, unless one is in them."""
REST = _("More")

Entry = dict[str, object]


def navigation(request: HttpRequest) -> list[Entry]:
    """The groups of links for this person, as Unfold shows them."""
    home, board = reverse("admin:index"), reverse("dashboard")
    first = [
        _entry(request, _("Dashboard"), board, "space_dashboard"),
        _entry(request, _("State"), home, "monitoring"),
    ]
    placed = {page for group in GROUPS for page in group.pages}
    rest = {
        model._meta.label_lower: "table"
        for model in admin.site._registry
        if model._meta.label_lower not in placed
    }
    shown = [_group(request, group) for group in (*GROUPS, Group(REST, rest))]
    # Others than those who may view would be sent back here.
    top: list[Entry] = [{"items": first}] if request.user.has_perm(VIEW) else []
    return [*top, *(group for group in shown if group["items"])]


def _group(request: HttpRequest, group: Group) -> Entry:
    items = [
        _entry(request, capfirst(model._meta.verbose_name_plural), path_of(page), icon)
        for page, icon in group.pages.items()
        for model in [apps.get_model(page)]
        if admin.site._registry[model].has_module_permission(request)
    ]
    return {
        "title": group.title,
        "items": items,
        "collapsible": not FOLDED.isdisjoint(group.pages),
    }


def _entry(request: HttpRequest, title: object, link: str, icon: str) -> Entry:
    path, home = request.path, reverse("admin:index")
    active = path == link if link in (home, "/") else path.startswith(link)
    return {"title": title, "link": link, "icon": icon, "active": active}


def path_of(page: str) -> str:
    """The path of the list of a model, named as `app.model`."""
    return reverse(f"admin:{page.replace('.', '_')}_changelist")
