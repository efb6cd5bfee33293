"""People who look at the console in browsers, each in a session of their own."""

import subprocess
import sys

from playwright.sync_api import expect

from coordinator_project.env import BASE_DIR
from tests.coordinator_project.running import environment

TOKEN = "only-for-tests"
PASSWORD = "only for the tests 1"
GROUPS = {"viewer": "Viewer", "operator": "Operator", "boss": "Admin"}
"""Who there is, and the group each is in."""

SLOW_MACHINE = 40_000  # milliseconds that a page may take to show what is waited for

expect.set_options(timeout=SLOW_MACHINE)

LEFT_EARLY = "WebSocket is closed before the connection is established"
"""What Chromium says when a page is left while it still connects."""

MAKE = f"""
from django.contrib.auth.models import Group
from accounts.models import User
for name, group in {GROUPS!r}.items():
    user = User.objects.create_user(name, password={PASSWORD!r}, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
"""


def make_people(folder):
    """Let them all have an account of the coordinator that runs on this data folder."""
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", MAKE],
        cwd=BASE_DIR,
        env=environment(folder),
        capture_output=True,
        check=True,
    )


class People:
    """Opens pages for people, and keeps what their browsers complained of."""

    def __init__(self, browser, url, sessions):
        self.browser, self.url, self.sessions = browser, url, sessions
        self.contexts, self.complaints = [], []

    def page(self, **context):
        """A page of somebody who has not signed in."""
        opened = self.browser.new_context(base_url=self.url, **context)
        opened.set_default_timeout(SLOW_MACHINE)
        self.contexts.append(opened)
        page = opened.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        return page

    def page_of(self, name, **context):
        """A page of a person who has signed in."""
        if name not in self.sessions:
            page = self.page()
            page.goto("/login")
            sign_in(page, name)
            expect(page).not_to_have_url(f"{self.url}/login")
            self.sessions[name] = page.context.storage_state()
            self._close(page.context)
        return self.page(storage_state=self.sessions[name], **context)

    def forgive(self, words):
        """Leave out the complaints with these words, which a test is right to expect."""
        self.complaints = [one for one in self.complaints if words not in one]

    def leave(self):
        self.leave_quietly()
        assert not self.complaints, "\n".join(self.complaints)

    def leave_quietly(self):
        """Close all pages, whatever their browsers complained of."""
        for context in list(self.contexts):
            self._close(context)

    def _close(self, context):
        self.contexts.remove(context)
        context.close()

    def _hear(self, message):
        if message.type in ("error", "warning") and LEFT_EARLY not in message.text:
            self.complaints.append(f"{message.location.get('url')}: {message.text}")


def sign_in(page, name, password=PASSWORD):
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
