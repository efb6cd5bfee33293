"""`script/screenshots FOLDER`: every page of the console in three widths and two themes.

The coordinator has a large fleet; the overview is taken empty, too.
"""

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.browser.fleet import Fleet
from tests.browser.large_fleet import LargeFleet
from tests.browser.people import TOKEN, People, make_people
from tests.browser.screenshots import KEY, call_models, run_command, run_sweep
from tests.browser.site import Site
from tests.coordinator_project.running import eventually

WIDTHS = {"phone": (390, 844), "desk": (1440, 900), "wall": (2560, 1440)}
THEMES = ["light", "dark"]
ADMIN = {
    "home": "",
    "tasks": "tasks/task/",
    "agents": "agents/agent/",
    "events": "events/event/",
    "actions": "events/operatoraction/",
    "users": "accounts/user/",
    "new-user": "accounts/user/add/",
    "new-token": "accounts/apitoken/add/",
    "keys": "vault/securekey/",
    "new-policy": "routing/routingpolicy/add/",
    "new-receiver": "notifications/receiver/add/",
    "new-rule": "notifications/rule/add/",
    "deliveries": "notifications/delivery/",
    "gone": "tasks/nothing/",
}


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="coordinator-pictures-") as top:
        Path(top).chmod(0o711)
        data = Path(top) / "data"
        settings = {"COORDINATOR_AUTH_TOKEN": TOKEN, "ORHESTRA_AGENT_KEY": KEY}
        with Site(data, COORDINATOR_SEARCH_ROOTS="off", **settings) as site:
            make_people(data)
            take(site.url, folder, {"empty": "/#/"})
            with Fleet(site.url) as fleet, LargeFleet(fleet, data):
                run_sweep(site.url, data)
                command = run_command(fleet)
                call_models(data)
                take(site.url, folder, pages(fleet, command), acts(fleet))


def pages(fleet, command):
    """The address of each page, by the name of its picture."""
    dead = fleet.ask("GET", "dead-letters?limit=1")["dead_letters"][0]
    held = fleet.ask("GET", "tasks?status=in_progress&limit=1")["tasks"][0]
    chain = fleet.ask("GET", "chains?status=locked&limit=1")["chains"][0]
    channel = chain["channel_id"]
    jobs = fleet.get(fleet.base_url.copy_with(path="/console/jobs")).json()["jobs"]
    dashboard = {
        "overview": "",
        "overview-week": "?range=7d",
        "board": f"board/{channel}",
        "tasks": "tasks",
        "tasks-failed": "tasks?status=failed",
        "agents": "agents",
        "agents-wall": "agents?show=grid",
        "dead-letters": "dead-letters",
        "jobs": "jobs",
        "actions": "actions",
        "timeline": "timeline",
        "usage": "usage",
        "search": "search?q=changelog",
        "task-dead": f"tasks/{dead['id']}",
        "task-held": f"tasks/{held['id']}",
        "chain": f"chains/{chain['id']}",
        "job": f"jobs/{jobs[-1]['id']}",
        "agent": "agents/agent-003",
        "run": f"run/{command['id']}",
        "gone": "tasks/00000000-0000-7000-8000-000000000000",
        "unknown": "nowhere",
    }
    return {
        **{name: f"/#/{path}" for name, path in dashboard.items()},
        **{f"admin-{name}": f"/admin/{path}" for name, path in ADMIN.items()},
        "admin-chain": f"/admin/chains/chain/{chain['id']}/change/",
        "admin-verb": f"/admin/chains/chain/{chain['id']}/verb/unlock_to_queued/",
        "sign-in": "/login",
    }


def acts(fleet):
    """What an operator of this fleet has done: each a path, and whom, why and how."""
    queued, failed = (
        [task["id"] for task in fleet.ask("GET", f"tasks?status={status}&limit=30")["tasks"]]
        for status in ("queued", "failed")
    )
    [channel, *_] = fleet.ask("GET", "channels")["channels"]
    return [
        ("tasks/cancel", queued, "the orders were withdrawn", {}),
        ("tasks/prioritize", queued[:3], "too late to be of use", {"priority": 9}),
        ("tasks/requeue", failed[:6], "the volume has space again", {}),
        ("agents/drain", ["agent-010", "agent-011"], "the rack is moved", {}),
        ("channels/pause", [channel["id"]], "the ledger is being migrated", {}),
        ("channels/resume", [channel["id"]], "it has been migrated", {}),
    ]


OPERATE = """async (acts) => {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
  for (const [path, ids, reason, values] of acts) {
    const body = JSON.stringify({ ids, reason, values });
    const answer = await fetch(`/console/${path}`, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  }
}"""


def take(url, folder, wanted, done=()):
    """A picture of each page in each width and theme, after these acts were done."""
    flags = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=flags)
        people = People(browser, url, {})
        boss = people.page_of("boss")
        boss.goto("/")
        boss.evaluate(OPERATE, list(done))
        for width, (x, y) in WIDTHS.items():
            for theme in THEMES:
                page = people.page_of(
                    "boss", viewport={"width": x, "height": y}, color_scheme=theme
                )
                for name, path in wanted.items():
                    keep(page, folder / f"{name}-{width}-{theme}.png", path)
                people.leave_quietly()
        browser.close()


def keep(page, file, path):
    """Go there, wait until it stands still, and keep what is seen, and say what is too wide."""
    page.goto("about:blank")
    page.goto(path)
    if path.startswith("/#"):
        expect(page.locator("#connection")).to_contain_text("Live")
    eventually(lambda: page.locator('[aria-busy="true"]').count() == 0)
    page.wait_for_timeout(700)
    page.screenshot(path=file)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    print(file.name, f"is {wide} px too wide" if wide > 0 else "")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
