"""Keys in the admin: a value is set there, in forms of administrators, and never shown."""

from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.console.clicking import audit, choose, click, list_of, page_of, preview
from tests.console.people import browser_of
from tests.factories import fresh
from tests.vault.keys import SECRET, after, audited, failures, make_key, store, version_of
from vault import transitions
from vault.models import KeyAudit, KeyStatus, SecureKey
from vault.reading import Selector, read
from vault.transitions import Times

pytestmark = pytest.mark.django_db

ADD = "/admin/vault/securekey/add/"
NONSENSE = ["a\0b", "\ud800", "[", "x" * 70_000, "9999-99-99"]
NAMES = ["nul", "surrogate", "bracket", "long", "date"]
FORM = {"name": "main", "env": "dev", "provider": "openai", "value": SECRET}


@pytest.fixture
def admin():
    return browser_of("Admin")


def pages(browser, key):
    """All that is shown of a key."""
    paths = [list_of(SecureKey), page_of(key), list_of(KeyAudit), page_of(key, "verb", "rotate")]
    paths += [page_of(row) for row in KeyAudit.objects.all()]
    return [browser.get(path).content.decode() for path in paths]


def test_the_form_is_opened_filled_and_saved(admin):
    page = admin.get(ADD)
    shown = [name for _, part in page.context["adminform"].fieldsets for name in part["fields"]]
    assert shown[:7] == ["name", "env", "provider", "service", "resource", "region", "alias"]
    for name in [*FORM, "scopes", "not_before_at_0", "expires_at_0", "rotate_after_1"]:
        assert f'name="{name}"' in page.content.decode()
    assert page.context["adminform"].form["env"].initial == "dev"

    ends = after(days=30)
    more = {"scopes": "chat, embeddings", "expires_at_0": f"{ends:%Y-%m-%d}"}
    saved = admin.post(ADD, FORM | more | {"expires_at_1": "12:00:00"}, follow=True)

    key = SecureKey.objects.get()
    assert saved.redirect_chain[-1][0] == list_of(SecureKey)
    assert (key.name, key.scopes, key.created_by) == ("main", ["chat", "embeddings"], "user:admin")
    assert f"{version_of(key).expires_at:%Y-%m-%d %H}" == f"{ends:%Y-%m-%d} 12"
    assert read(Selector(name="main"), by="tests").value == SECRET
    assert KeyAudit.objects.last().ip == "127.0.0.1"


def test_no_page_shows_a_value_nor_its_checksum(admin):
    admin.post(ADD, FORM)
    key = SecureKey.objects.get()
    read(Selector(name="main"), by="tests")

    for page in pages(admin, key):
        assert SECRET not in page
        assert version_of(key).checksum not in page
        assert bytes(version_of(key).sealed).decode() not in page


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"value": ""}, "value"),
        ({"value": "   "}, "value"),
        ({"provider": ""}, "provider"),
        ({"name": "x" * 201}, "name"),
        ({"scopes": "x" * 65}, "scopes"),
        ({"scopes": "\u0958" * 64}, "scopes"),  # two characters each, as it is stored
        ({"scopes": ",".join("x" * 101)}, "scopes"),
        ({"name": "", "provider": "x" * 150, "service": "y" * 150}, "name"),
        ({"expires_at_0": "2026-01-31", "expires_at_1": "12:00"}, "expires_at"),
        ({"expires_at_0": "soon", "expires_at_1": "12:00"}, "expires_at"),
    ],
    ids=str,
)
def test_a_wrong_form_comes_back_without_the_value(admin, wrong, field):
    page = admin.post(ADD, FORM | wrong)

    assert page.status_code == 200
    assert field in page.context["adminform"].form.errors
    assert SECRET not in page.content.decode()
    assert not SecureKey.objects.exists()


@pytest.mark.parametrize("text", NONSENSE, ids=NAMES)
def test_a_form_filled_with_nonsense_is_answered(admin, text):
    admin.raise_request_exception = False
    raw = text.encode(errors="surrogatepass")
    more = ["scopes", "alias", "not_before_at_0", "expires_at_0", "rotate_after_1"]

    for field in [*FORM, *more]:
        form = urlencode(FORM | {field: raw})
        answer = admin.post(ADD, form, content_type="application/x-www-form-urlencoded")
        assert answer.status_code in {200, 302}, (field, answer.status_code)


def test_what_the_vault_refuses_in_the_form_is_in_the_audit(admin):
    admin.post(ADD, FORM | {"expires_at_0": "2026-01-31", "expires_at_1": "12:00"})

    assert failures() == [("write", "validation_error")]


def test_a_key_without_a_name_is_named_after_what_it_is_for(admin):
    admin.post(ADD, FORM | {"name": " ", "service": "chat"})

    assert SecureKey.objects.get().name == "openai/chat"

    again = admin.post(ADD, FORM | {"name": "", "service": "chat"})

    assert "rotate it instead" in again.content.decode()
    assert SecureKey.objects.get().latest == 1


def test_a_wrong_time_is_named_beside_its_field_in_the_words_of_people(admin):
    page = admin.post(ADD, FORM | {"expires_at_0": "2026-01-31", "expires_at_1": "12:00"})

    said = page.context["adminform"].form.errors["expires_at"]
    assert said == ["It must be at least 24 hours after the key may first be used."]


def test_a_name_that_there_is_is_rotated_instead(admin):
    make_key(name="main")

    page = admin.post(ADD, FORM)

    assert "rotate it instead" in page.content.decode()
    assert SecureKey.objects.get().latest == 1


def test_a_key_is_rotated(admin):
    key = make_key(name="main")
    assert preview(admin, key, "rotate") == ["Gives 1 key a new value, which is read from now on."]

    done = click(admin, key, "rotate", value="new", expires_at=f"{after(days=9):%Y-%m-%dT%H:%M}")

    assert "new" not in [str(cell) for cell in done.context["messages"]]
    assert read(Selector(name="main"), by="tests").value == "new"
    assert version_of(key, 2).expires_at is not None
    assert audit(key) == [("rotate", "user:admin", "it hangs", "")]
    assert ("rotate", "rotate", True, "") in audited(key)


def test_what_a_rotation_refuses_is_in_both_audits(admin):
    key = make_key(name="main")

    soon = f"{after(hours=2):%Y-%m-%dT%H:%M}"
    click(admin, key, "rotate", value="new", expires_at=soon)

    assert fresh(key).latest == 1
    assert audit(key) == [("rotate", "user:admin", "it hangs", "invalid_request")]
    assert failures() == [("rotate", "validation_error")]


def test_the_form_of_a_rotation_that_is_wrong_comes_without_the_value(admin):
    key = make_key(name="main")

    page = click(admin, key, "rotate", reason="", value="another secret")

    assert page.context["form"].errors["reason"]
    assert "another secret" not in page.content.decode()


def test_a_key_is_revoked_and_says_so(admin):
    key = make_key(name="main")
    store("two", provider="openai", name="main")
    assert "nobody reads it any more" in preview(admin, key, "revoke")[0]

    click(admin, key, "revoke", reason="leaked")

    assert fresh(key).status == KeyStatus.REVOKED
    assert audit(key) == [("revoke", "user:admin", "leaked", "")]
    assert ("revoke", "revoke", True, "leaked") in audited(key)
    links = [link["title"] for link in admin.get(page_of(key)).context["verb_links"]]
    assert [str(one) for one in links] == ["Rotate"]


def test_several_are_revoked_at_once_but_not_rotated(admin):
    keys = [make_key(name=name) for name in ("a", "b")]
    transitions.revoke(keys[0].pk, reason="r", by="tests")

    choose(admin, keys, "revoke", reason="leaked")

    assert {fresh(key).status for key in keys} == {KeyStatus.REVOKED}
    assert 'value="rotate"' not in admin.get(list_of(SecureKey)).content.decode()


def test_the_page_of_a_key_has_its_versions_and_uses(admin):
    key = make_key(name="main", times=Times(expires_at=after(days=9)))
    read(Selector(name="main"), by="routing")

    versions, uses = admin.get(page_of(key)).context["tables"]

    assert versions.rows[0][0] == 1
    assert versions.rows[0][5] == 1
    assert [row[1] for row in uses.rows] == ["Read", "Write"]
    assert uses.rows[0][3] == "routing"


@pytest.mark.parametrize("group", ["Viewer", "Operator"])
def test_others_look_and_change_nothing(group):
    key = make_key(name="main")
    browser = browser_of(group)
    read(Selector(name="main"), by="tests")

    for page in pages(browser, key)[:3]:
        assert "main" in page
        assert SECRET not in page
    for path in (ADD, page_of(key, "verb", "rotate"), page_of(key, "verb", "revoke")):
        assert browser.post(path, FORM | {"reason": "r", "confirmed": "yes"}).status_code == 403
    assert fresh(key).latest == 1


def test_users_and_strangers_see_nothing():
    key = make_key(name="main")

    for browser, status in ((browser_of("User"), 403), (Client(), 302)):
        for path in (list_of(SecureKey), page_of(key), list_of(KeyAudit), ADD):
            assert browser.get(path).status_code == status


def test_uses_are_found_by_key_and_by_whether_they_failed(admin):
    key, _ = make_key(name="main"), make_key(name="other")
    path = list_of(KeyAudit)

    found = admin.get(path, {"q": str(key.pk)}).context["cl"].result_list
    assert [row.name for row in found] == ["main"]
    assert not admin.get(path, {"success__exact": "0"}).context["cl"].result_list
    assert admin.get(path, {"q": "no id"}, follow=True).status_code == 200
