"""The coordinator, the three providers and the calls of `script/demo routing`."""

import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import orjson

from benchmarks.demo import server
from benchmarks.demo.providers import Asked, Exchange, LocalProvider
from benchmarks.demo.wire import Wire
from coordinator_project import env

TOKENS = (100, 50)  # of each question and each answer
SLOW = 0.3  # seconds
BATCH, BEFORE, AFTER = 100, 50, 50  # calls
AT_ONCE = 6
MOST_FAILED = 20
"""As often as the failing provider may be tried, since its errors fade with time."""
KEY = "sk-demo-0123456789-{}"
PRICES = {
    "failing": (Decimal("0.0001"), Decimal("0.0002")),
    "slow": (Decimal("0.001"), Decimal("0.002")),
    "dear": (Decimal("0.01"), Decimal("0.03")),
}
"""USD for 1,000 tokens in, and out."""
SET_UP = """
import sys
from routing.models import LanguageModel, Provider, RoutingPolicy
from vault import transitions
for name, url, cost_in, cost_out in {providers!r}:
    of = Provider.objects.create(name=name, base_url=url)
    LanguageModel.objects.create(provider=of, name="model", context_limit=8000,
        input_usd_per_1k=cost_in, output_usd_per_1k=cost_out)
    transitions.upsert(transitions.Draft(value={key!r}.format(name), provider=name), by="demo")
RoutingPolicy.objects.create(name="batch is cheap", priority=10, action={{"deny": ["dear"],
    "max_error_rate": 0.35}}, match_conditions={{"channel": "batch"}})
RoutingPolicy.objects.create(name="no failing ones", action={{"max_error_rate": 0.35}})
"""
# As time would do it: the vault takes no key that ends within a day.
EXPIRE = """
from django.db.models.functions import Now
from vault.models import KeyVersion
KeyVersion.objects.filter(key__provider="dear").update(expires_at=Now())
"""
SNAPSHOTS = """
import json
from routing.models import RoutingSnapshot
for one in RoutingSnapshot.objects.order_by("id"):
    print(json.dumps([one.request_id, one.channel, one.outcome, one.selected_provider,
        one.failovers, str(one.cost), one.degraded, one.reason,
        [[a["provider"], a["result"]] for a in one.attempts], repr(one.__dict__)]))
"""


class CallsFailed(Exception):
    """A command has not done what it should."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a call has printed."""

    provider: str
    cost: Decimal
    failovers: int
    degraded: bool
    request_id: str


@dataclass
class Routing:
    """The coordinator, its folder, and the three providers."""

    url: str
    folder: Path
    providers: dict[str, LocalProvider]
    wire: Wire = field(init=False)

    def __post_init__(self) -> None:
        self.wire = Wire(self.url)

    def manage(self, *arguments: str) -> str:
        """What a command of manage.py prints."""
        done = subprocess.run(  # noqa: S603
            [sys.executable, str(env.BASE_DIR / "manage.py"), *arguments],
            env={**server.surroundings(), "COORDINATOR_DATA_DIR": str(self.folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CallsFailed(f"{arguments[0]}: {done.stderr.strip()[-2_000:]}")
        return done.stdout

    def shell(self, code: str) -> list[str]:
        return self.manage("shell", "-v", "0", "-c", code).splitlines()

    def call(self, channel: str, times: int, model: str = "") -> list[Call]:
        """So many calls, some at once."""
        printed = self.manage(
            *("call_model", "Is it?", "--json", "--answer-tokens", str(TOKENS[1])),
            *("--channel", channel, "--agent", "demo", "--model", model),
            *("--times", str(times), "--at-once", str(AT_ONCE)),
        )
        found = [orjson.loads(line) for line in printed.splitlines()]
        return [
            Call(
                one["provider"],
                Decimal(one["cost_usd"]),
                one["failovers"],
                one["degraded"],
                one["request_id"],
            )
            for one in found
        ]

    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=20) as answer:  # noqa: S310
            content: bytes = answer.read()
        return content.decode()


def answer(exchange: Exchange, asked: Asked) -> None:
    exchange.complete("It is.", tokens=TOKENS)


def answer_slowly(exchange: Exchange, asked: Asked) -> None:
    exchange.wait(SLOW)
    answer(exchange, asked)


def fail(exchange: Exchange, asked: Asked) -> None:
    exchange.say_json(500, {"error": {"message": "No.", "code": "server_error"}})
