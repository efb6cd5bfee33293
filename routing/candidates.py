"""What a call asks for, what could serve it, and what the policies say: plain values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from agents.models import ID_LENGTH
from api.fields import LONGEST_NAME
from problems import Invalid

USUAL_SLO_MS = 2_000
MOST_TOKENS = 10_000_000
LONGEST_TAG = 100
MOST_TAGS = 50
SURROGATE = re.compile("[\ud800-\udfff]")


class Service(TextChoices):
    """What a model is asked for."""

    CHAT = "chat", _("Chat")
    EMBEDDINGS = "embeddings", _("Embeddings")


class Intent(TextChoices):
    """What a call is for."""

    CHAT = "chat", _("Chat")
    CODE = "code", _("Code")
    RESEARCH = "research", _("Research")
    RERANK = "rerank", _("Rerank")
    EMBEDDINGS = "embeddings", _("Embeddings")


class Level(TextChoices):
    """How urgent a call is, or how much its cost counts; policies look at it."""

    LOW = "low", _("Low")
    NORMAL = "normal", _("Normal")
    HIGH = "high", _("High")


class Scoring(TextChoices):
    """Which formula gives the scores."""

    V1 = "v1"
    V2 = "v2"


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """What a call asks for. It says how long the messages are, and nothing of what they say.

    `agent` and `channel` are whom the usage is counted for. Raises Invalid.
    """

    service: str = Service.CHAT
    intent: str = Intent.CHAT
    tokens_in: int = 0
    tokens_out: int = 0
    latency_slo_ms: int = USUAL_SLO_MS
    priority: str = Level.NORMAL
    cost_sensitivity: str = Level.NORMAL
    intended_model: str = ""
    region: str = ""
    tags: tuple[str, ...] = ()
    tenant_id: UUID | None = None
    agent: str = ""
    channel: str = ""

    def __post_init__(self) -> None:
        if self.service not in Service.values or self.intent not in Intent.values:
            raise Invalid(f"There is no service {self.service!r} with intent {self.intent!r}.")
        if not (0 <= self.tokens_in <= MOST_TOKENS and 0 <= self.tokens_out <= MOST_TOKENS):
            raise Invalid(f"Expected tokens must be from 0 to {MOST_TOKENS}.")
        if self.latency_slo_ms <= 0:
            raise Invalid("latency_slo_ms must be more than 0.")
        texts = {
            "intended_model": (self.intended_model, 2 * LONGEST_NAME + 1),
            "region": (self.region, LONGEST_NAME),
            "agent": (self.agent, ID_LENGTH),
            "channel": (self.channel, LONGEST_NAME),
        }
        for name, (text, longest) in texts.items():
            if not _is_storable(text, longest):
                raise Invalid(
                    f"{name} must be a text of at most {longest} characters, without NUL."
                )
        if len(self.tags) > MOST_TAGS or not all(
            _is_storable(one, LONGEST_TAG) for one in self.tags
        ):
            raise Invalid(f"tags must be at most {MOST_TAGS}, each as the other texts are.")
        if not {self.priority, self.cost_sensitivity} <= {*Level.values}:
            raise Invalid(f"priority and cost_sensitivity must be of {', '.join(Level.values)}.")

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


def _is_storable(text: str, longest: int) -> bool:
    """Whether the database takes it; arguments of commands may have halves of surrogate pairs."""
    return len(text) <= longest and "\0" not in text and not SURROGATE.search(text)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model of a provider in a region, with what is known of it now.

    What has not been measured is None. `parked_because` is "" unless nobody may call it before
    `parked_until`. `headers` name the key by a reference, and have no secret.
    """

    provider: str
    model: str
    region: str = ""
    input_usd_per_1k: Decimal = Decimal(0)
    output_usd_per_1k: Decimal = Decimal(0)
    context_limit: int = 0
    max_tokens: int | None = None
    latency_ms: float | None = None
    p95_ms: float | None = None
    error_rate: float | None = None
    measured_at: datetime | None = None
    parked_until: datetime | None = None
    parked_because: str = ""
    rate_limited: bool = False
    cold: bool = False
    spent_today: Decimal = Decimal(0)
    base_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"

    @property
    def place(self) -> tuple[str, str]:
        """What its health is of: the provider in the region."""
        return self.provider, self.region

    def is_called(self, named: str) -> bool:
        """Whether a name is its own, with or without that of its provider."""
        return bool(named) and named in {self.model, self.name}

    def is_among(self, patterns: frozenset[str]) -> bool:
        """Whether a policy names it: by provider, by model or by both."""
        return not patterns.isdisjoint(
            {self.provider, f"{self.provider}/*", self.model, self.name, "*"}
        )

    def cost(self, tokens_in: int, tokens_out: int) -> Decimal:
        """What so many tokens cost, in USD."""
        return (tokens_in * self.input_usd_per_1k + tokens_out * self.output_usd_per_1k) / Decimal(
            1000
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """What all policies together say of one call.

    `allow` None: all. `version` is the same as long as the same policies say the same.
    """

    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    max_latency_ms: float | None = None
    max_error_rate: float | None = None
    region_prefs: Mapping[str, float] = field(default_factory=dict, hash=False)
    hard_pins: Mapping[str, str] = field(default_factory=dict, hash=False)
    max_usd_per_call: Decimal | None = None
    daily_usd: Decimal | None = None
    budget_is_hard: bool = False
    names: Sequence[str] = ()
    version: str = "none"
