"""A call of a language model: ranked, sent, passed on to the next candidate, counted, recorded.

Nothing is held while a provider is waited for: no transaction, and no connection of the database.
"""

import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from api.body import JsonDict
from problems import Invalid
from routing import attempts, keys, transitions
from routing.attempts import Attempt
from routing.candidates import Candidate, RouteRequest, Service
from routing.client import RouterSelectClient, Selection
from routing.completions import Completion, Question
from routing.exceptions import CallRefused, NoAnswer, NoProvider
from routing.models import Outcome, ProviderHealth
from routing.rank import Ranking
from routing.transitions import Finished, Used
from routing.wire import Deadline

MOST_ATTEMPTS = 8
NAMED = 5
"""Of the models that nobody may call, those that an error names."""
NOT_ANSWERED = "not_answered"
EXACT = Decimal("1e-9")
"""Of a USD: as far as usage is kept."""

log = logging.getLogger("coordinator.routing")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call waits, in seconds: for a connection, an answer, and altogether.

    Between two attempts it rests for about `rest`, and twice as long each time.
    """

    connect: float = 5.0
    answer: float = 60.0
    total: float = 120.0
    rest: float = 0.1
    longest_rest: float = 2.0

    @classmethod
    def usual(cls) -> "Patience":
        answer, total = settings.LLM_ANSWER_WITHIN, settings.LLM_CALL_WITHIN
        return cls(answer=answer.total_seconds(), total=total.total_seconds())


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call that was answered."""

    text: str
    vectors: Sequence[Sequence[float]]
    body: JsonDict
    provider: str
    model: str
    region: str
    tokens_in: int
    tokens_out: int
    cost_usd: Decimal
    is_estimated: bool
    failovers: int
    degraded: bool
    request_id: str
    snapshot_id: int


def query_routed(
    request: RouteRequest,
    messages: Sequence[Mapping[str, Any]],
    *,
    options: Mapping[str, Any] | None = None,
    patience: Patience | None = None,
) -> Reply:
    """Let the best model answer a chat; where it fails, the next one.

    `options` go into the request as they are, such as `{"temperature": 0}`. It is counted for the
    request's agent, channel and tenant. Raises NoProvider, NoAnswer or CallRefused, and must not
    be called in a transaction.
    """
    if request.service != Service.CHAT:
        raise Invalid("A chat must be routed as the service chat.")
    return _call(request, Question(Service.CHAT, messages, options or {}), patience)


def embed_routed(
    request: RouteRequest,
    texts: Sequence[str],
    *,
    options: Mapping[str, Any] | None = None,
    patience: Patience | None = None,
) -> Reply:
    """The vectors of some texts, in the same way."""
    if request.service != Service.EMBEDDINGS:
        raise Invalid("Embeddings must be routed as the service embeddings.")
    return _call(request, Question(Service.EMBEDDINGS, texts, options or {}), patience)


@dataclass(slots=True)
class _Run:
    """A call on its way from candidate to candidate."""

    selection: Selection
    question: Question
    patience: Patience
    deadline: Deadline
    made: list[Attempt] = field(default_factory=list)
    silent: set[tuple[str, str]] = field(default_factory=set)

    def through(self) -> Attempt | None:
        """The attempt that ended it; None where all candidates failed, or the time was up."""
        for ranked in self.selection.ranking.ranked:
            one = ranked.candidate
            if one.place in self.silent or _is_parked(one):
                continue
            if len(self.made) >= MOST_ATTEMPTS or not self.rested():
                return None
            attempt = self.attempt(one)
            self.made.append(attempt)
            transitions.observe(attempt)
            if not attempt.goes_on:
                return attempt
            log.info("A call of a language model failed.", extra=attempt.kept())
            if attempt.is_silent:
                self.silent.add(one.place)
        return None

    def rested(self) -> bool:
        """Rest before another attempt; whether there is time for one."""
        if not self.made:
            return True
        usual = min(self.patience.longest_rest, self.patience.rest * 2 ** (len(self.made) - 1))
        rest = usual * random.uniform(0.5, 1.5)  # noqa: S311
        left = self.deadline.at - time.monotonic()
        if rest >= left:
            return False
        _let_go()
        time.sleep(rest)
        return True

    def attempt(self, one: Candidate) -> Attempt:
        needs_key = any("{vault:" in text for text in one.headers.values())
        key = ""
        if needs_key:
            try:
                key = keys.key_for(one, self.question.service)
            except keys.KeyMissing as missing:
                extra = {"provider": one.provider, "why": str(missing)}
                log.info("There is no key for a provider.", extra=extra)
                return attempts.without_key(one, for_all=missing.for_all)
        left = max(0.001, self.deadline.at - time.monotonic())
        _let_go()
        return attempts.ask(
            one,
            self.question,
            _headers(one, key),
            key=key,
            connect_within=self.patience.connect,
            deadline=Deadline(min(self.patience.answer, left)),
        )


def _call(request: RouteRequest, question: Question, patience: Patience | None) -> Reply:
    question.body("")  # refused before anybody is asked
    patience = patience or Patience.usual()
    with transaction.atomic(durable=True):
        selection = RouterSelectClient().rank(request)
    run = _Run(selection, question, patience, Deadline(patience.total))
    last = run.through()
    if last is None or last.completion is None:
        raise _unanswered(run, last)
    return _answered(run, last.candidate, last.completion)


def _answered(run: _Run, one: Candidate, completion: Completion) -> Reply:
    cost = one.cost(completion.tokens_in, completion.tokens_out).quantize(EXACT)
    used = Used(completion.tokens_in, completion.tokens_out, cost, completion.is_estimated)
    snapshot = transitions.record(
        Finished(run.selection, Outcome.ANSWERED, run.made, selected=one, used=used)
    )
    return Reply(
        text=completion.text,
        vectors=completion.vectors,
        body=completion.body,
        provider=one.provider,
        model=one.model,
        region=one.region,
        tokens_in=completion.tokens_in,
        tokens_out=completion.tokens_out,
        cost_usd=cost,
        is_estimated=completion.is_estimated,
        failovers=snapshot.failovers,
        degraded=snapshot.degraded,
        request_id=snapshot.request_id,
        snapshot_id=snapshot.pk,
    )


def _unanswered(run: _Run, last: Attempt | None) -> Exception:
    """Record a call without an answer; what is raised for it."""
    if last is not None:
        one = last.candidate
        transitions.record(
            Finished(run.selection, Outcome.REFUSED, run.made, selected=one, reason="refused")
        )
        return CallRefused(one.name, last.status, last.refusal)
    reason = "" if not run.selection.ranking.ranked else NOT_ANSWERED
    transitions.record(Finished(run.selection, Outcome.UNANSWERED, run.made, reason=reason))
    if not run.made:
        return NoProvider(_why_nobody(run.selection.ranking))
    log.warning("No language model has answered.", extra={"attempts": len(run.made)})
    tried = ", ".join(f"{one.candidate.name} ({one.result})" for one in run.made)
    return NoAnswer(f"No provider of language models has answered: {tried}.")


def _why_nobody(ranking: Ranking) -> str:
    """What keeps the models that there are from being called, and where to see more of it."""
    said = "No provider of language models can be called now"
    if ranking.ranked:
        return f"{said}: those that may are parked, as the health of providers in the admin says."
    if not ranking.excluded:
        return (
            f"{said}: no model for this is set and enabled. Add its provider and it in the admin."
        )
    first = ranking.excluded[:NAMED]
    why = ", ".join(f"{one.candidate.name} ({one.reason})" for one in first)
    more = len(ranking.excluded) - len(first)
    return f"{said}: {why}{f' and {more} more' if more else ''}."


def _is_parked(one: Candidate) -> bool:
    """Whether the provider was parked since it was ranked."""
    return ProviderHealth.objects.parked(one.provider, one.region).exists()


def _headers(one: Candidate, key: str) -> dict[str, str]:
    reference = f"{{vault:{one.provider}}}"
    said = {name: text.replace(reference, key) for name, text in one.headers.items()}
    return {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Connection": "close",
        **said,
    }


def _let_go() -> None:
    """Close the database's connection, since others may need it while this call waits."""
    if not connection.in_atomic_block:  # as it is in tests alone
        connection.close()
