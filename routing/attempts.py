"""One attempt of a call: a candidate is asked, and what came of it is judged."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from routing import addresses, completions, wire
from routing.candidates import Candidate
from routing.completions import Completion, Question, Unreadable
from routing.models import Parked
from routing.wire import Deadline, ProviderAnswer

LONGEST_ANSWER = 16 * 1024 * 1024  # bytes
SHORTEST_PAUSE, USUAL_PAUSE, LONGEST_PAUSE = 1.0, 30.0, 3_600.0
KEY_PAUSE = 60.0
"""Seconds for which nobody is called whose key is refused or missing."""
DIGITS = 9


class Billed(StrEnum):
    """Whether an attempt costs something."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Word(StrEnum):
    """What came of an attempt."""

    ANSWERED = "answered"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    BAD_KEY = "bad_key"
    NO_KEY = "no_key"
    BAD_ANSWER = "bad_answer"
    BAD_ADDRESS = "bad_address"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TOO_LONG = "answer_too_long"


@dataclass(frozen=True, slots=True)
class Seen:
    """What an attempt says of its provider's health.

    `failed` and `latency_ms` are None where it says nothing of them; for `pause` seconds nobody
    is to call it.
    """

    failed: bool | None = None
    latency_ms: float | None = None
    pause: float = 0.0
    parked_because: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A candidate that was asked, and what came of it.

    `goes_on`: another candidate may be asked. `is_silent`: no other model of the same provider and
    region is worth a try.
    """

    candidate: Candidate
    result: Word
    seen: Seen
    billed: Billed
    ms: float = 0.0
    status: int = 0
    refusal: str = ""
    completion: Completion | None = None
    goes_on: bool = True
    is_silent: bool = False

    @property
    def word(self) -> str:
        """Why it failed; "" where it did not, or where that is the caller's affair."""
        return "" if self.result in {Word.ANSWERED, Word.REFUSED} else self.result.value

    def kept(self) -> dict[str, object]:
        """What a snapshot keeps of it."""
        found = self.candidate
        return {
            "provider": found.provider,
            "model": found.model,
            "region": found.region,
            "result": self.result.value,
            "status": self.status,
            "ms": round(self.ms, 1),
            "billed": self.billed.value,
        }


def without_key(one: Candidate, *, for_all: bool) -> Attempt:
    """Nobody was asked, since there is no key to ask with; `for_all`: for no model of this one."""
    seen = Seen(pause=KEY_PAUSE, parked_because=Parked.NO_KEY) if for_all else Seen()
    return Attempt(one, Word.NO_KEY, seen, Billed.NO, is_silent=for_all)


def ask(
    one: Candidate,
    question: Question,
    headers: Mapping[str, str],
    *,
    key: str,
    connect_within: float,
    deadline: Deadline,
) -> Attempt:
    """Ask a candidate once; `key` is the one in the headers, "" where none is. Raises Invalid."""
    body = question.body(one.model)
    begun = time.monotonic()
    try:
        address = addresses.parsed(one.base_url)
        if key and not address.keeps_secrets:
            raise addresses.Unusable("A key is not sent without TLS.")
        answer = wire.post(
            address,
            question.path,
            body,
            headers,
            connect_within=connect_within,
            deadline=deadline,
            longest=LONGEST_ANSWER,
        )
    except addresses.Unusable:
        return Attempt(one, Word.BAD_ADDRESS, Seen(failed=True), Billed.NO, is_silent=True)
    except wire.Cut as cut:
        return _cut(one, cut, _since(begun))
    return judged(one, question, answer, _since(begun), key=key)


def _since(begun: float) -> float:
    return (time.monotonic() - begun) * 1000


def _cut(one: Candidate, cut: wire.Cut, ms: float) -> Attempt:
    """No answer. What was sent may have been carried out, and may be billed."""
    slow = ms if isinstance(cut, wire.TimedOut) else None
    billed = Billed.UNKNOWN if cut.was_sent else Billed.NO
    silent = not isinstance(cut, wire.TooLong)
    seen = Seen(failed=True, latency_ms=slow)
    return Attempt(one, Word(cut.word), seen, billed, ms, is_silent=silent)


def judged(
    one: Candidate, question: Question, answer: ProviderAnswer, ms: float, *, key: str = ""
) -> Attempt:
    """What an answer means: for the caller, and for the provider's health."""
    status = answer.status
    match status:
        case _ if 200 <= status < 300:
            return _read(one, question, answer, ms)
        case 429:
            pause = pause_in(answer.retry_after)
            seen = Seen(pause=pause, parked_because=Parked.RATE_LIMITED)
            return Attempt(one, Word.RATE_LIMITED, seen, Billed.NO, ms, status, is_silent=True)
        case 401 | 403:
            seen = Seen(pause=KEY_PAUSE, parked_because=Parked.BAD_KEY)
            return Attempt(one, Word.BAD_KEY, seen, Billed.NO, ms, status, is_silent=True)
        case _ if 400 <= status < 500:
            word = completions.word_of(answer.body)
            if key and (key in word or word in key):
                word = ""
            return Attempt(
                one, Word.REFUSED, Seen(), Billed.NO, ms, status, refusal=word, goes_on=False
            )
        case _ if 500 <= status < 600:
            pause = pause_in(answer.retry_after) if answer.retry_after else 0.0
            because = Parked.OVERLOADED if pause else ""
            seen = Seen(failed=True, pause=pause, parked_because=because)
            return Attempt(
                one, Word.SERVER_ERROR, seen, Billed.NO, ms, status, is_silent=bool(pause)
            )
    # A redirect would take the key elsewhere.
    return Attempt(one, Word.BAD_ANSWER, Seen(failed=True), Billed.NO, ms, status)


def _read(one: Candidate, question: Question, answer: ProviderAnswer, ms: float) -> Attempt:
    try:
        completion = completions.read(question, answer.body)
    except Unreadable:
        seen = Seen(failed=True)
        return Attempt(one, Word.BAD_ANSWER, seen, Billed.UNKNOWN, ms, answer.status)
    seen = Seen(failed=False, latency_ms=ms)
    return Attempt(
        one,
        Word.ANSWERED,
        seen,
        Billed.YES,
        ms,
        answer.status,
        completion=completion,
        goes_on=False,
    )


def pause_in(retry_after: str) -> float:
    """For how many seconds a provider asks to be left alone: a number, or a time as HTTP has it."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal() and len(text) <= DIGITS:
        seconds = float(text)
    else:
        try:
            until = parsedate_to_datetime(text)
            if until.tzinfo is None:
                until = until.replace(tzinfo=UTC)
            seconds = (until - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            seconds = USUAL_PAUSE
    return min(LONGEST_PAUSE, max(SHORTEST_PAUSE, seconds))
