import re

from playwright.sync_api import expect

from tests.browser import accessibility
from tests.browser.people import sign_in


def test_who_is_not_signed_in_is_asked_to_and_then_sees_what_was_asked_for(people):
    page = people.page()

    page.goto("/admin/")
    expect(page).to_have_url(re.compile(r"/login\?next=/admin/$"))
    sign_in(page, "operator")

    expect(page).to_have_url(re.compile(r"/admin/$"))


def test_a_wrong_password_is_told_and_opens_nothing(people):
    page = people.page()

    page.goto("/login")
    sign_in(page, "operator", "something else")

    expect(page.get_by_role("alert")).to_contain_text("correct username and password")
    page.goto("/admin/")
    expect(page).to_have_url(re.compile("/login"))


def test_the_page_to_sign_in_can_be_used_by_everybody(people):
    page = people.page()

    page.goto("/login")

    accessibility.check(page)
