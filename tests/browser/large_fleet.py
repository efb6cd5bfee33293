"""A fleet as real ones are, made over HTTP as agents do.

200 agents of many names, some of which vanished; chains in every state; 10,000 tasks; dead letters
of several kinds; and the counts of a week that has passed.
"""

import random
import subprocess
import sys
import threading
from itertools import count, cycle, islice

from coordinator_project.env import BASE_DIR
from tests.coordinator_project.running import environment

AGENTS, CHAINS, TASKS = 200, 60, 10_000
VANISHED, SILENT = 8, 30
BATCH = 50
CHANNELS = [
    "release",
    "nightly",
    "translations",
    "data-import",
    "번역 검토",
    "сборка и выпуск",
    "experiments 🧪",
    "docs & <guides>",
    "customer-facing regression checks of the payment service, all regions and currencies",
]
UNSERVED = "gpu-training"
LONG = (
    "Compare the invoices of all regions with the ledger of the previous quarter, write what is"
    " different into the report, and ask the people in charge of each region to confirm all"
    " corrections by Friday"
)
TITLES = [
    "update the changelog",
    "번역을 검토하고 용어집과 맞춘다",
    "проверить резервные копии и описать восстановление",
    "rotate the logs 🌀",
    'escape <script>alert("x")</script> & "quotes" in titles',
    LONG,
    "import orders of 2026-11",
    "retry the upload of volume 12",
    "answer the translators",
    "build documentation",
]
ROLES = ["builder", "tester", "importer", "reviewer", "writer"]
PLACES = ["osaka", "lyon", "서울", "казань", "quito", "nairobi", "tromsø"]
REASONS = [
    "no space left on device: /var/lib/volume-{n}",
    "connection to 10.0.{n}.7:5432 refused after 30 s",
    'assert 41 == {n}\n  File "checks/test_ledger.py", line {n}, in test_balance\nAssertionError',
    "the translation has {n} words that the glossary does not know",
]


def name_of(number):
    """Agents are named by all sorts of people."""
    place, role = PLACES[number % len(PLACES)], ROLES[number % len(ROLES)]
    if number % 29 == 0:
        return f"{role} of the night shift in {place}, with a name that is longer than any column"
    return f"작업자-{place}-{number}" if place == "서울" else f"{role}-{place}-{number:03}"


class LargeFleet:
    """Makes it with a `Fleet`; agents stay online as long as it is open."""

    def __init__(self, fleet, folder):
        self.fleet, self.folder = fleet, folder
        self.ended = threading.Event()
        self.random = random.Random(7)  # noqa: S311
        self.ids = [f"agent-{number:03}" for number in range(AGENTS)]
        self.present = self.ids[: AGENTS - VANISHED - SILENT]

    def __enter__(self):
        self.channels = [self.fleet.channel(name) for name in CHANNELS]
        self.beat(self.ids)
        self.work()
        self.chains()
        self.fail_some()
        self.hold_some()
        self.leave()
        self.pulse = threading.Thread(target=self._pulse, daemon=True)
        self.pulse.start()
        return self

    def __exit__(self, *problem):
        self.ended.set()
        self.pulse.join()

    def _pulse(self):
        while not self.ended.wait(8):
            self.beat(self.present)

    def beat(self, ids):
        for number, agent in enumerate(ids):
            channel = CHANNELS[number % len(CHANNELS)]
            meta = {"version": f"1.{number % 4}.{number % 7}", "state": "working"}
            self.fleet.ask(
                "POST",
                "agents/heartbeat",
                agent_id=agent,
                name=name_of(int(agent.removeprefix("agent-"))),
                subscriptions=[channel],
                capacity=1 + number % 4,
                meta=meta,
            )

    def titles(self, number):
        serial = count(1)
        return [f"{title} ({next(serial)})"[:200] for title in islice(cycle(TITLES), number)]

    def work(self):
        """Most of the tasks have been done; some wait."""
        each = TASKS // len(self.channels)
        for number, channel in enumerate(self.channels):
            titles = self.titles(each)
            for start in range(0, each, 1_000):
                self.fleet.tasks(channel, titles[start : start + 1_000])
            for step in range(each * 4 // 5 // BATCH):
                self.finish(self.ids[(number + step * 9) % AGENTS], channel, BATCH)
        self.fleet.tasks(self.fleet.channel(UNSERVED), self.titles(40))

    def claim(self, agent, channel, number):
        body = {"agent_id": agent, "channel": channel["name"], "max_tasks": number}
        return self.fleet.ask("POST", "tasks/claim", **body)["tasks"]

    def finish(self, agent, channel, number):
        outcomes = [
            {"task_id": task["id"], "lease_epoch": task["lease_epoch"], "status": "done"}
            for task in self.claim(agent, channel, number)
        ]
        if outcomes:
            self.fleet.ask("POST", "tasks/report", agent_id=agent, outcomes=outcomes)

    def fail_some(self):
        """Dead letters of several kinds, and attempts that went badly."""
        for number in range(120):
            channel = self.channels[number % 4]
            agent = self.ids[number % 40]
            for task in self.claim(agent, channel, 1):
                reason = REASONS[number % len(REASONS)].format(n=number)
                self.fleet.ask(
                    "POST",
                    "tasks/fail",
                    task_id=task["id"],
                    agent_id=agent,
                    reason=reason,
                    retriable=number % 3 == 0,
                )

    def chains(self):
        """Chains in every state: waiting, at work, locked, done, failed, stopped."""
        steps = ["prepare", "compile", "check", LONG, "publish"]
        own = [self.fleet.channel(f"chains of {channel['name']}") for channel in self.channels]
        for number in sorted(range(CHAINS), key=lambda number: number % 6 == 0):
            channel = own[number % len(own)]
            chain, _ = self.fleet.chain(channel, f"version {number // 10}.{number % 10}", steps)
            self.move(chain, channel, self.ids[number], number % 6)

    def move(self, chain, channel, agent, state):
        """The agent gets this chain, since nobody owns it and all others of its channel are owned,
        locked or ended; those that wait are made last."""
        if state == 0:
            return
        for _ in range(min(state, 2) if state < 5 else 5):
            for task in self.claim(agent, channel, 1):
                self.fleet.complete(agent, task)
        if state in (2, 3):
            self.claim(agent, channel, 1)
        if state == 3:
            self.fleet.ask("POST", f"chains/{chain['id']}/detach", agent_id=agent)
        if state == 4:
            for task in self.claim(agent, channel, 1):
                body = {"task_id": task["id"], "agent_id": agent, "reason": "the checks failed"}
                self.fleet.ask("POST", "tasks/fail", **body)

    def hold_some(self):
        for number, agent in enumerate(self.ids[:150]):
            self.claim(agent, self.channels[number % len(self.channels)], 1 + number % 3)

    def leave(self):
        """Agents that vanished hours ago, or are silent; and the counts of a week."""
        names = (self.ids[-VANISHED:], self.ids[-VANISHED - SILENT : -VANISHED])
        subprocess.run(
            [sys.executable, "manage.py", "shell", "-v", "0", "-c", PAST % names],
            cwd=BASE_DIR,
            env=environment(self.folder),
            capture_output=True,
            check=True,
        )


PAST = """
import math, random
from datetime import timedelta
from django.utils import timezone
from agents.models import Agent
from tasks import rollups
from tasks.tally_models import TaskRollup, WaitRollup
now = timezone.now()
Agent.objects.filter(pk__in=%r).update(last_seen_at=now - timedelta(hours=3))
Agent.objects.filter(pk__in=%r).update(last_seen_at=now - timedelta(minutes=6))
chance = random.Random(7)
for span, kept in rollups.KEPT.items():
    length = timedelta(seconds=span)
    begin = now.timestamp() // span * span
    rows, waits = [], []
    for back in range(2, int(kept / length)):
        at = timezone.datetime.fromtimestamp(begin - back * span, tz=now.tzinfo)
        busy = 1.2 + math.sin(at.hour / 24 * 6.28) + (0.4 if at.weekday() < 5 else 0)
        done = int(busy * span / 4 * chance.uniform(0.7, 1.3))
        failed = int(done * chance.choice([0, 0, 0.01, 0.02, 0.08]))
        rows.append(TaskRollup(span=span, at=at, done=done, failed=failed, cancelled=0, waiting=0,
                               running=0))
        for bucket in range(3, 11):
            number = int(done * math.exp(-((bucket - 5 - busy) ** 2) / 3))
            if number:
                waits.append(WaitRollup(span=span, at=at, bucket=bucket, count=number))
    TaskRollup.objects.bulk_create(rows, ignore_conflicts=True)
    WaitRollup.objects.bulk_create(waits, ignore_conflicts=True)
"""
