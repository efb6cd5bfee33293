"""People of each group for tests of the console, and their browsers."""

from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import User
from accounts.rights import GROUPS


def make_person(group: str = "", **fields) -> User:
    """A person of a group, by the group's name."""
    person = User.objects.create_user(group.lower() or "nobody", **fields)
    if group:
        person.groups.add(group_of(group))
    return person


def group_of(name: str) -> Group:
    """The group of this name; tests that empty the tables lose the groups."""
    row, new = Group.objects.get_or_create(name=name)
    if new:
        codenames = [one.removeprefix("accounts.") for one in GROUPS[name]]
        row.permissions.set(Permission.objects.filter(codename__in=codenames))
    return row


def browser_of(group: str) -> Client:
    """A browser in which the person of this group is signed in."""
    known = User.objects.filter(username=group.lower()).first()
    browser = Client()
    browser.force_login(known or make_person(group))
    return browser
