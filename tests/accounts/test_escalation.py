"""Nobody gets more rights in the admin by giving them to somebody: neither to others nor to
themselves."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts import transitions
from accounts.callers import of_user
from accounts.exceptions import MayNotIssue
from accounts.models import ApiToken, User
from tests.accounts.tokens import of_person
from tests.console.people import browser_of, group_of, make_person
from tests.factories import fresh

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
ADD = "/admin/accounts/user/add/"


def page_of(row, page="change"):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])


def permission(codename):
    return Permission.objects.get(codename=codename, content_type__app_label="accounts")


@pytest.fixture
def clerk():
    """Administers, and looks, but may not operate."""
    group = Group.objects.create(name="Clerks")
    group.permissions.set(map(permission, ["view_console", "administer"]))
    person = User.objects.create_user("clerk")
    person.groups.add(group)
    return person


@pytest.fixture
def browser(clerk):
    browser = Client()
    browser.force_login(clerk)
    return browser


def test_a_group_that_may_more_is_not_given(browser):
    ann = {"username": "ann", "password1": PASSWORD, "password2": PASSWORD}

    refused = browser.post(ADD, ann | {"groups": group_of("Operator").pk})
    assert refused.context["adminform"].form.errors["groups"] == [
        "You may not give or take what you may not do yourself: May use the API for their own work,"
        " and for what is nobody's; May steer tasks, chains, jobs, channels and agents"
    ]
    assert not User.objects.filter(username="ann").exists()

    browser.post(ADD, ann | {"groups": group_of("Viewer").pk})
    assert User.objects.get(username="ann").has_perm("accounts.view_console")


@pytest.mark.parametrize("field", ["groups", "user_permissions"])
def test_an_administrator_gives_themselves_nothing(browser, clerk, field):
    more = {"groups": group_of("Admin").pk, "user_permissions": permission("operate").pk}
    form = {"username": "clerk", "is_active": "on", "groups": [clerk.groups.get().pk]}

    page = browser.post(page_of(clerk), form | {field: more[field]})

    assert field in page.context["adminform"].form.errors
    assert not fresh(clerk).has_perm("accounts.operate")


def test_an_administrator_gives_by_no_group_what_they_lack(browser, clerk):
    group = clerk.groups.get()
    kept = [one.pk for one in group.permissions.all()]

    page = browser.post(
        page_of(group), {"name": "Clerks", "permissions": [*kept, permission("operate").pk]}
    )
    assert page.context["adminform"].form.errors["permissions"]
    page = browser.post(
        "/admin/auth/group/add/", {"name": "x", "permissions": [permission("operate").pk]}
    )
    assert page.context["adminform"].form.errors["permissions"]

    assert not Group.objects.filter(name="x").exists()
    assert not fresh(clerk).has_perm("accounts.operate")


def test_what_a_group_gives_already_may_stay(browser):
    group = group_of("Operator")
    kept = [one.pk for one in group.permissions.all()]

    saved = browser.post(page_of(group), {"name": "Pilots", "permissions": kept})

    assert saved.status_code == 302
    assert fresh(group).permissions.count() == len(kept)


def test_a_group_that_may_more_loses_nothing_by_who_lacks_it(browser):
    """Its people would be in reach then: a new password of one is good when it is given again."""
    group = group_of("Operator")
    fewer = [permission("view_console").pk, permission("use_api").pk]

    page = browser.post(page_of(group), {"name": "Operator", "permissions": fewer})
    assert "permissions" in page.context["adminform"].form.errors
    assert browser.post(page_of(group, "delete"), {"post": "yes"}).status_code == 403

    assert fresh(group).permissions.count() == 3
    viewers = group_of("Viewer")
    assert browser.post(page_of(viewers, "delete"), {"post": "yes"}).status_code == 302
    assert not Group.objects.filter(pk=viewers.pk).exists()


@pytest.mark.parametrize("name", ["User", "USER"])
def test_a_group_that_may_more_is_not_made_that_of_newcomers(browser, settings, name):
    """Whoever registers comes into the group of this name."""
    settings.REGISTRATION = "user"
    Group.objects.filter(name="User").update(name="Others")
    group = group_of("Operator")
    kept = [one.pk for one in group.permissions.all()]

    page = browser.post(page_of(group), {"name": name, "permissions": kept})

    assert "name" in page.context["adminform"].form.errors
    assert fresh(group).name == "Operator"


@pytest.mark.parametrize("is_active", [True, False])
def test_who_may_more_is_out_of_reach(browser, is_active):
    """A new password for them would be a way to sign in as one who may operate."""
    person = make_person("Operator", is_active=is_active)
    password = reverse("admin:auth_user_password_change", args=[person.pk])
    assert browser.get(page_of(person)).status_code == 200

    for path in (page_of(person), page_of(person, "delete"), password):
        form = {"username": "operator", "password1": PASSWORD, "password2": PASSWORD}
        assert browser.post(path, form | {"post": "yes"}).status_code == 403, path
    assert not fresh(person).check_password(PASSWORD)


def test_a_token_gives_its_maker_no_more_than_they_have(clerk):
    operator = make_person("Operator")

    with pytest.raises(MayNotIssue):
        transitions.issue("x", user=operator, by=of_user(clerk), reason="a test")
    transitions.issue("x", user=operator, role="support", by=of_user(clerk), reason="a test")

    assert [token.role for token in ApiToken.objects.all()] == ["support"]


def test_a_token_gives_its_maker_nothing_later(clerk):
    """What its user is given one day, whoever made the token has too."""
    viewer = make_person("Viewer")

    with pytest.raises(MayNotIssue):
        transitions.issue("x", user=viewer, role="operator", by=of_user(clerk), reason="a test")
    transitions.issue("x", user=clerk, role="admin", by=of_user(clerk), reason="a test")

    assert [token.user for token in ApiToken.objects.all()] == [clerk]


def test_the_token_of_an_agent_is_made_by_who_may_do_what_it_does(clerk, browser):
    """It sees what it claims, and ends it."""
    with pytest.raises(MayNotIssue):
        transitions.issue("x", agent="agent-1", by=of_user(clerk), reason="a test")
    form = {"name": "x", "role": "agent", "agent": "agent-1", "channels": "[]"}
    page = browser.post("/admin/accounts/apitoken/add/", form)
    assert "role" in page.context["adminform"].form.errors
    json = {"name": "x", "agent_id": "agent-1"}
    asked = browser.post("/api/v1/tokens", json, content_type="application/json")
    assert asked.status_code == 403
    assert not ApiToken.objects.exists()

    clerk.user_permissions.add(permission("operate"))
    asked = browser.post("/api/v1/tokens", json, content_type="application/json")
    assert asked.status_code == 201


def test_the_page_of_a_token_that_would_give_too_much_says_so(browser):
    operator = make_person("Operator")
    form = {"name": "x", "role": "operator", "user": operator.pk}

    page = browser.post("/admin/accounts/apitoken/add/", form)

    assert page.status_code == 200
    assert page.context["adminform"].form.errors
    assert not ApiToken.objects.exists()


def test_only_a_superuser_makes_a_superuser(browser, admin_client):
    person = make_person("Viewer")
    form = {"username": "viewer", "is_active": "on", "is_superuser": "on"}

    browser.post(page_of(person), form)
    assert not fresh(person).is_superuser

    admin_client.post(page_of(person), form)
    assert fresh(person).is_superuser


def test_a_token_is_revoked_from_its_users_page(browser):
    token, _ = of_person("Viewer", name="nightly build")
    page = browser.get(page_of(token.user)).content.decode()
    path = reverse("admin:accounts_apitoken_revoke", args=[token.pk])
    assert path in page
    assert f"/admin/accounts/apitoken/add/?user={token.user_id}" in page

    assert browser.get(path).status_code == 200
    assert browser.post(path, {"reason": ""}).status_code == 200
    assert fresh(token).revoked_at is None
    done = browser.post(path, {"reason": "left the company"}, follow=True)

    assert done.redirect_chain[-1][0] == page_of(token.user)
    assert fresh(token).revoked_at
    assert path not in done.content.decode()
    assert "Revoked" in done.content.decode()


def test_nobody_revokes_the_token_of_another_by_its_address():
    token, _ = of_person("Viewer")
    browser = Client()
    browser.force_login(make_person("Operator"))
    path = reverse("admin:accounts_apitoken_revoke", args=[token.pk])

    assert browser.post(path, {"reason": "x"}).status_code == 404
    assert fresh(token).revoked_at is None


def test_the_form_of_a_token_knows_whose_it_will_be(browser):
    person = make_person("Viewer")

    page = browser.get(f"/admin/accounts/apitoken/add/?user={person.pk}")

    form = page.context["adminform"].form
    assert (form["user"].value(), form["role"].value()) == (str(person.pk), "user")


def seen_on(browser, row):
    return browser.get(page_of(row)).context["adminform"].form["seen"].value()


def test_a_page_that_was_opened_before_does_not_give_back_what_was_taken_since(admin_client):
    person, viewers = make_person("Operator"), group_of("Viewer")
    form = {"username": "operator", "is_active": "on", "seen": seen_on(admin_client, person)}
    person.groups.set([viewers])

    late = admin_client.post(page_of(person), form | {"groups": group_of("Operator").pk})

    assert "since you opened" in late.content.decode()
    assert list(person.groups.all()) == [viewers]
    form["seen"] = seen_on(admin_client, person)
    assert admin_client.post(page_of(person), form | {"groups": viewers.pk}).status_code == 302

    old = {"name": "Viewer", "seen": seen_on(admin_client, viewers)}
    viewers.permissions.clear()
    late = admin_client.post(
        page_of(viewers), old | {"permissions": [permission("view_console").pk]}
    )
    assert "since you opened" in late.content.decode()
    assert not viewers.permissions.exists()


@pytest.mark.parametrize("group", ["Viewer", "Admin"])
def test_what_a_page_remembers_is_not_shown_to_who_only_looks(group):
    person = make_person("User")
    page = browser_of(group).get(page_of(person)).content.decode()

    assert ('name="seen"' in page) == (group == "Admin")
    assert "Seen" not in page
