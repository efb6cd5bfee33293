"""An embedder behind an address that speaks like OpenAI's `/embeddings`."""

import http.client
import json
import math
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from django.conf import settings

from search.exceptions import EmbedderFailed

AT_ONCE = 64  # texts
LONGEST = 8_000  # characters of a text
MOST_BYTES = 32 * 1024 * 1024  # of an answer


@dataclass(frozen=True, slots=True)
class RemoteEmbedder:
    """Asks for vectors over HTTP; its credential is in no message."""

    url: str
    model: str
    dimensions: int
    key: str = ""
    timeout: float = 10.0

    @classmethod
    def of_settings(cls) -> Self:
        return cls(
            settings.EMBEDDINGS_URL,
            settings.EMBEDDINGS_MODEL,
            settings.EMBEDDINGS_DIMENSIONS,
            settings.EMBEDDINGS_KEY,
        )

    @property
    def name(self) -> str:
        return f"{self.model}/{self.dimensions}"[:64]

    def embed(self, texts: Sequence[str]) -> list[Sequence[float]]:
        found: list[Sequence[float]] = []
        for start in range(0, len(texts), AT_ONCE):
            asked = [text[:LONGEST] or " " for text in texts[start : start + AT_ONCE]]
            found += self._vectors(self._ask({"model": self.model, "input": asked}), len(asked))
        return found

    def _ask(self, body: object) -> Any:
        address = urlsplit(self.url)
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        connection = self._connection(address.scheme, address.hostname or "", address.port)
        try:
            path = f"{address.path.rstrip('/')}/embeddings"
            connection.request("POST", path, json.dumps(body).encode(), headers)
            with connection.getresponse() as answer:
                raw = _read(answer, time.monotonic() + self.timeout)
        except (OSError, http.client.HTTPException) as problem:
            kind = type(problem).__name__
            raise EmbedderFailed(f"The embedder does not answer ({kind}).") from None
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK or len(raw) > MOST_BYTES:
            raise EmbedderFailed(f"The embedder has answered {answer.status}.")
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise EmbedderFailed("The embedder has answered no JSON.") from None

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "https":
            secure = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=secure)
        return http.client.HTTPConnection(host, port, timeout=self.timeout)

    def _vectors(self, answer: Any, count: int) -> list[Sequence[float]]:
        """The vectors in the order of the texts. Refuses those of another dimension."""
        try:
            rows = sorted(answer["data"], key=lambda row: int(row["index"]))
            vectors = [[float(value) for value in row["embedding"]] for row in rows]
        except (KeyError, TypeError, ValueError, OverflowError):
            raise EmbedderFailed("The embedder's answer has no vectors.") from None
        sound = all(all(map(math.isfinite, vector)) for vector in vectors)
        if len(vectors) != count or not sound:
            raise EmbedderFailed("The embedder has not answered with a vector for each text.")
        if wrong := next((len(one) for one in vectors if len(one) != self.dimensions), None):
            raise EmbedderFailed(f"The embedder has {wrong} dimensions, not {self.dimensions}.")
        return [_unit(vector) for vector in vectors]


def _read(answer: http.client.HTTPResponse, until: float) -> bytes:
    """All of the answer, or as much as shows that it is too long. Raises TimeoutError."""
    parts, size = [], 0
    while size <= MOST_BYTES and (part := answer.read1(64 * 1024)):
        parts.append(part)
        size += len(part)
        if time.monotonic() > until:
            raise TimeoutError
    return b"".join(parts)


def _unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(value * value for value in vector))
    return [round(value / length, 6) for value in vector] if length else vector
