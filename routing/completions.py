"""What OpenAI-compatible providers are asked, and how their answers are read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from api.body import JsonDict
from problems import Invalid
from routing.candidates import MOST_TOKENS, Service

CHARACTERS_OF_A_TOKEN = 4
LARGEST = 8 * 1024 * 1024  # bytes of a question
NUMBERS = ({int}, {float}, {int, float})
"""The types that the numbers of a vector may have; JSON has no others."""
WORD = re.compile("[A-Za-z0-9_.-]{1,64}", re.ASCII)


class Unreadable(Exception):
    """An answer with a good status that is none."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent to whichever model is selected."""

    service: str
    content: Sequence[Any]
    options: Mapping[str, Any]

    @property
    def path(self) -> str:
        return "/embeddings" if self.service == Service.EMBEDDINGS else "/chat/completions"

    def body(self, model: str) -> bytes:
        """The body that asks a model. Raises Invalid."""
        name = "input" if self.service == Service.EMBEDDINGS else "messages"
        body = _written({**self.options, "model": model, name: list(self.content)})
        if len(body) > LARGEST:
            raise Invalid(f"Messages and options must have at most {LARGEST} bytes.")
        return body

    @property
    def tokens(self) -> int:
        """Roughly how many tokens it has. Raises Invalid."""
        return _tokens(_written(list(self.content)))


def _written(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        raise Invalid("Messages and options must be JSON.") from None


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer as it was read, and what it used up.

    `is_estimated`: the provider did not say how many tokens, or said what cannot be.
    """

    body: JsonDict
    tokens_in: int
    tokens_out: int
    is_estimated: bool

    @property
    def text(self) -> str:
        """The first answer of a chat; "" where it has no text."""
        choices: Any = self.body.get("choices")
        content = choices[0]["message"].get("content") if choices else None
        return content if isinstance(content, str) else ""

    @property
    def vectors(self) -> list[list[float]]:
        """The embeddings, in the order of the texts."""
        data: Any = self.body.get("data") or []
        return [one["embedding"] for one in data]


def read(question: Question, raw: bytes) -> Completion:
    """Read an answer. Raises Unreadable."""
    try:
        body = orjson.loads(raw)
    except ValueError:
        raise Unreadable from None
    if not isinstance(body, dict):
        raise Unreadable
    embeds = question.service == Service.EMBEDDINGS
    if not (_has_vectors(body, len(question.content)) if embeds else _has_choice(body)):
        raise Unreadable
    usage = body.get("usage")
    said: Mapping[str, object] = usage if isinstance(usage, dict) else {}
    tokens_in = _count(said.get("prompt_tokens"))
    tokens_out = 0 if embeds else _count(said.get("completion_tokens"))
    estimated = tokens_in is None or tokens_out is None
    if tokens_in is None:
        tokens_in = question.tokens
    if tokens_out is None:
        tokens_out = _tokens(_of_answers(body))
    return Completion(body, tokens_in, tokens_out, estimated)


def _has_choice(body: JsonDict) -> bool:
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and isinstance(first.get("message"), dict)


def _of_answers(body: JsonDict) -> bytes:
    """What counts of an answer, as JSON; it is read deeper than it is written."""
    try:
        return orjson.dumps(body["choices"])
    except TypeError:
        raise Unreadable from None


def _has_vectors(body: JsonDict, count: int) -> bool:
    data = body.get("data")
    if not isinstance(data, list) or len(data) != count:
        return False
    return all(isinstance(one, dict) and _is_vector(one.get("embedding")) for one in data)


def _is_vector(found: object) -> bool:
    return isinstance(found, list) and {*map(type, found)} in NUMBERS


def _count(said: object) -> int | None:
    """A number of tokens, if it can be one."""
    return said if type(said) is int and 0 <= said <= MOST_TOKENS else None


def _tokens(written: bytes) -> int:
    return min(MOST_TOKENS, -(-len(written) // CHARACTERS_OF_A_TOKEN))


def word_of(raw: bytes) -> str:
    """What a provider calls the reason of a refusal, if that is one word.

    Its sentences may repeat the question, or the key.
    """
    try:
        body = orjson.loads(raw)
    except ValueError:
        return ""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return ""
    words = (error.get("code"), error.get("type"))
    return next((one for one in words if isinstance(one, str) and WORD.fullmatch(one)), "")
