"""A running coordinator, the system's Chromium, and people in it.

Playwright keeps an event loop in its thread, which Django's ORM refuses to share: servers are
processes of their own, and the browser goes when the tests of this folder are done.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from coordinator_project.env import BASE_DIR
from tests.browser.fleet import Fleet
from tests.browser.people import TOKEN, People, make_people
from tests.browser.site import Site
from tests.coordinator_project.conftest import copied


@pytest.fixture(scope="package")
def chromium():
    """The path of the system's Chromium; without one, these tests fail and say what to install."""
    found = subprocess.run(
        [str(BASE_DIR / "script/chromium"), "find"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        pytest.fail(found.stderr.strip(), pytrace=False)
    return found.stdout.strip()


@pytest.fixture(scope="package")
def browser(chromium):
    flags = ["--no-sandbox"] if os.getuid() == 0 else []  # as root, Chromium has no sandbox
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def place(first_run):
    """A data folder that PostgreSQL's own user can reach."""
    top = Path(tempfile.mkdtemp(prefix="coordinator-browser-"))
    top.chmod(0o711)
    yield copied(first_run, top / "data")
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture(scope="package")
def coordinator(place):
    """A coordinator that wants a token of agents, and of people that they sign in."""
    with Site(place, COORDINATOR_AUTH_TOKEN=TOKEN) as site:
        make_people(place)
        yield site


@pytest.fixture(scope="package")
def sessions():
    """Who has signed in already, so that each does it once."""
    return {}


@pytest.fixture
def people(browser, coordinator, sessions):
    """People with a browser each; when they leave, nothing may have gone wrong unseen."""
    people = People(browser, coordinator.url, sessions)
    yield people
    people.leave()


@pytest.fixture
def operator(people):
    return people.page_of("operator")


@pytest.fixture
def fleet(coordinator):
    """What agents and programs do, over HTTP with the token."""
    with Fleet(coordinator.url) as fleet:
        yield fleet
