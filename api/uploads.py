"""The body of a request that is read while it comes, part by part, and never as a whole."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from rest_framework.request import Request

from problems import Invalid

KEY = "coordinator.body"
"""Under which the application puts such a body into the scope of its request."""
PART = 64 * 1024
PASSED_OVER = 16 * 1024 * 1024
"""Bytes of a refused body that are read all the same."""
PASSED_OVER_WITHIN = 20.0
"""Seconds in which they have to come."""


class ClientLeft(Invalid):
    """The client left before the end of the body."""

    code = "bad_request"


def parts_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; as Django has read it, where another server has taken the request."""
    inner: Any = request._request
    body: AsyncIterator[bytes] | None = getattr(inner, "scope", {}).get(KEY)
    return _read(inner) if body is None else body


async def pass_over(
    request: Request,
    parts: AsyncIterator[bytes],
    most: int = PASSED_OVER,
    within: float | None = PASSED_OVER_WITHIN,
) -> bool:
    """Read and drop the rest, for clients that read no answer before they have sent all.

    Returns whether that was all of it: else the answer has to close the connection. So it is where
    `most` bytes were not enough, or `within` seconds, and for a client that asked first, by
    `Expect`: of that nothing is read.
    """
    if "Expect" in request.headers:
        return False
    try:
        async with asyncio.timeout(within):
            async for part in parts:
                most -= len(part)
                if most < 0:
                    return False
    except TimeoutError:
        return False
    return True


async def _read(request: Any) -> AsyncIterator[bytes]:
    while part := request.read(PART):
        yield part
