"""A method of both clients, made of the function that describes its request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar, overload

from coordinator_client.call import Call

if TYPE_CHECKING:
    from coordinator_client.clients import AsyncCoordinator, Coordinator

P = ParamSpec("P")
T = TypeVar("T")


class Operation(Generic[P, T]):
    """Describes a request and sends it by the client on which it is called."""

    def __init__(self, describe: Callable[P, Call[T]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Operation[P, T]: ...
    @overload
    def __get__(self, client: Coordinator, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncCoordinator, owner: type) -> Callable[P, Awaitable[T]]: ...

    def __get__(
        self, client: Coordinator | AsyncCoordinator | None, owner: type
    ) -> Operation[P, T] | Callable[P, T] | Callable[P, Awaitable[T]]:
        if client is None:
            return self
        return client.sends(self.describe)
