"""`script/screenshots`: pictures of the main pages, of a coordinator that is at work."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
from playwright.sync_api import expect, sync_playwright

from coordinator_project.env import BASE_DIR
from tests.browser.fleet import Fleet
from tests.browser.pages import chain_on, find
from tests.browser.people import TOKEN, People, make_people
from tests.browser.site import Site
from tests.coordinator_project.running import environment, eventually

IMAGES = BASE_DIR / "docs/img"
DOCUMENTS = str(BASE_DIR / "docs")
WALL = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
KEY = "only-for-pictures"
SWEEP = {
    "jarPath": "optimizer.jar",
    "mainClass": "Main",
    "algorithms": ["PSO", "GA", "DE"],
    "iterations": {"min": 100, "max": 1000, "step": 100},
    "agents": {"min": 20, "max": 60, "step": 20},
    "dimension": {"min": 2, "max": 10, "step": 4},
}


def main():
    """Make all pictures; the coordinator and its data are gone afterwards."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="coordinator-pictures-") as top:
        Path(top).chmod(0o711)
        folder = Path(top) / "data"
        with Site(
            folder,
            COORDINATOR_AUTH_TOKEN=TOKEN,
            ORHESTRA_AGENT_KEY=KEY,
            COORDINATOR_SEARCH_ROOTS=DOCUMENTS,
        ) as site:
            make_people(folder)
            call_models(folder)
            index(folder)  # before there are agents, who are soon called silent
            with Fleet(site.url) as fleet:
                channel, chain = put_to_work(fleet)
                run_sweep(site.url, folder)
                command = run_command(fleet)
                take_pictures(site.url, channel, chain, command)


def put_to_work(fleet):
    """Chains that run, wait and hang; tasks alone; agents with names that say nothing."""
    release, nightly = fleet.channel("release"), fleet.channel("nightly")
    steps = ["compile", "unit tests", "browser tests", "package", "publish"]
    for agent, name in enumerate(["version 2.4", "version 2.5", "hotfix 2.3.1"], start=1):
        hanging, _ = fleet.chain(release, name, steps)
        for _ in range(agent):
            task = fleet.claim(f"agent-{agent}", release)
            if agent > 1 or task["title"] != "compile":
                fleet.complete(f"agent-{agent}", task)
        if agent != 1:
            fleet.claim(f"agent-{agent}", release)
    fleet.ask("POST", f"chains/{hanging['id']}/detach", agent_id="agent-3")
    fleet.chain(release, "version 3.0", steps)
    fleet.tasks(release, ["update the changelog", "answer the translators", "rotate the logs"])
    fleet.tasks(nightly, [f"back up volume {number}" for number in range(1, 13)])
    for agent in range(4, 8):
        for _ in range(2):
            fleet.complete(f"agent-{agent}", fleet.claim(f"agent-{agent}", nightly))
        task = fleet.claim(f"agent-{agent}", nightly)
        if agent == 7:
            reason = "no space left on the volume"
            fleet.ask("POST", "tasks/fail", task_id=task["id"], agent_id="agent-7", reason=reason)
    return release, hanging


def run_command(fleet):
    """A command whose tests have failed, with its log and a file."""
    task = fleet.command(
        "reactorcide-jobs",
        "unit tests",
        "runner-1",
        source_type="git",
        git_url="https://git.example.org/project.git",
        git_ref="main",
        job_command="make install\nmake test",
    )
    said = [f"\x1b[32mPASSED\x1b[0m tests/test_{number:02}.py" for number in range(1, 37)]
    said += ["\x1b[31;1mFAILED\x1b[0m tests/test_37.py", "1 failed, 36 passed in 4.21s"]
    fleet.log(task, 1, "[runner] at commit 4f1c2d0a", "installing 41 packages", *said)
    fleet.log(task, 1, "warning: 2 packages are out of date", stream="stderr")
    fleet.file(task, "report/junit.xml", b"<testsuite/>" * 400)
    fleet.file(task, "coverage.txt", b"97 %")
    fleet.exit(task, "failed", 2)
    return task


def run_sweep(url, folder):
    """A sweep that machines have worked at for some seconds, and still do."""
    httpx.post(
        f"{url}/api/v1/jobs", json=SWEEP, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
    ).raise_for_status()
    how = ("--url", url, "--count", "6", "--delay", "50-200", "--seconds", "6")
    manage(folder, "simulate_spots", *how, ORHESTRA_AGENT_KEY=KEY)


MODELS = """
from datetime import timedelta
from django.utils import timezone
from routing.models import LanguageModel, Provider, RoutingPolicy, UsageCounter
from vault.transitions import Draft, upsert
today = timezone.now().date()
for name, price, least in (("near", "0.0005", 3), ("far", "0.01", 1)):
    base_url = f"https://{name}.example.org/v1"
    provider = Provider.objects.create(name=name, base_url=base_url)
    LanguageModel.objects.create(provider=provider, name="large", context_limit=128_000,
        input_usd_per_1k=price, output_usd_per_1k=price)
    upsert(Draft("only for pictures", name, service="chat"), by="pictures")
    for ago in range(30):
        calls = least * (11 + 7 * ago % 13)
        UsageCounter.objects.create(day=today - timedelta(days=ago), provider=name, model="large",
            agent=f"agent-{ago % 3 + 1}", channel="nightly", calls=calls,
            input_tokens=calls * 21_300, output_tokens=calls * 1_900, cost=f"{calls * 0.0113:.6f}")
RoutingPolicy.objects.create(name="nothing dear at night", match_conditions={"channel": "nightly"},
    action={"max_usd_per_call": 0.05, "budget_is_hard": True})
"""
"""Two providers with their keys, what was used of them, and a policy."""


def call_models(folder):
    """What the console shows of language models, without a call of one."""
    manage(folder, "shell", "-v", "0", "-c", MODELS)


def index(folder):
    """What the search finds at once, which the loop would have indexed after a while."""
    manage(folder, "search_index", COORDINATOR_SEARCH_ROOTS=DOCUMENTS)


def manage(folder, *words, **settings):
    subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=BASE_DIR,
        env=environment(folder, **settings),
        capture_output=True,
        check=True,
    )


def take_pictures(url, channel, chain, command):
    flags = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=flags)
        people = People(browser, url, {})
        wall = {"viewport": WALL}
        board, steps = f"/#/board/{channel['id']}", chain["name"]
        page = people.page_of("operator", color_scheme="light", **wall)
        keep(page, "overview", "/#/")
        keep(page, "board", board, unfold=steps)
        keep(page, "jobs", "/#/jobs")
        keep(page, "run", f"/#/run/{command['id']}", says="The log is complete.")
        keep(page, "usage", "/#/usage", says="in 30 days")
        keep(page, "search", "/#/search", asks="renew a lease")
        keep(page, "chain", f"/#/chains/{chain['id']}", says="Why does")
        keep(page, "palette", "/#/", finds="unit")
        keep(page, "admin-tasks", "/admin/tasks/task/")
        keep(page, "admin-chain", f"/admin/chains/chain/{chain['id']}/change/")
        keep(page, "admin-verb", f"/admin/chains/chain/{chain['id']}/verb/unlock_to_queued/")
        keep(page, "admin-keys", "/admin/vault/securekey/")
        boss = people.page_of("boss", color_scheme="light", **wall)
        keep(boss, "admin-policy", "/admin/routing/routingpolicy/add/")
        dark = people.page_of("operator", color_scheme="dark", **wall)
        keep(dark, "overview-dark", "/#/")
        phone = people.page_of("operator", viewport=PHONE, is_mobile=True, has_touch=True)
        keep(phone, "board-phone", board, unfold=steps)
        keep(phone, "usage-phone", "/#/usage", says="in 30 days")
        keep(phone, "chain-phone", f"/#/chains/{chain['id']}", says="Why does")
        browser.close()
    assert not people.complaints, "\n".join(people.complaints)


def keep(page, name, path, unfold="", says="", asks="", finds=""):
    """Go there, wait until it stands still and `says` this, and keep what is seen.

    `unfold` is the name of a chain, `asks` what is searched for, `finds` asked for in the palette.
    """
    page.goto(path)
    if path.startswith("/#"):
        expect(page.locator("#connection")).to_contain_text("Live")
    if unfold:
        button = chain_on(page, unfold).get_by_role("button", name=unfold).first
        button.click()
        expect(button).to_have_attribute("aria-expanded", "true")
    if asks:
        page.get_by_label("Words to search for").fill(asks)
        expect(page.locator("[data-found]").first).to_be_visible()
    if says:
        expect(page.get_by_text(says)).to_be_visible()
    if finds:
        find(page, finds)
    page.wait_for_load_state("networkidle")
    eventually(lambda: page.locator('[aria-busy="true"]').count() == 0)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/img/{name}.png")  # noqa: T201


if __name__ == "__main__":
    main()
