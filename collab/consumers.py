"""`/realtime/v1/websocket`: what happens to jobs and workers, in the channels that a client names.

Channels are named in the query (`?channel=jobs:<id>&channel=system:events`) or by messages:

    {"type": "subscribe", "channel": "jobs:…", "after": "4711"}    {"type": "unsubscribe", …}

Each is answered. What is sent has a cursor; a client that names it as `after` misses nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import DatabaseError, InterfaceError

from accounts.callers import Caller
from accounts.watch import Watch, calling
from api import body
from api.throttling import READ, limits
from collab import bus, channels, presence
from collab.broadcasts import AGENTS, of_agent
from collab.bus import Delivery
from collab.channels import Watched
from collab.happenings import Told
from events import shutdown, slots
from events.sockets import RESTARTS, ServedConsumer
from events.sse import as_cursor
from problems import Conflict, Invalid, Problem, Unavailable, errors, families, http

BEHIND = 1013, "More has happened than you have read. Subscribe again, with `after`."
MOST_CHANNELS = 100


class TooManyChannels(Conflict):
    """A socket watches 100 channels at most; open another one."""

    code = "too_many_channels"


@dataclass(slots=True)
class Subscription:
    """One channel of a socket. `seen`: events beyond the cursor that it has been sent."""

    cursor: int
    owners: frozenset[UUID | None] | None = None
    seen: set[int] = field(default_factory=set)


class Realtime(ServedConsumer, AsyncJsonWebsocketConsumer):
    """One client that watches channels."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.cursor = 0
        self.subscriptions: dict[str, Subscription] = {}
        # Deliveries and subscriptions take turns, so that what is read again comes first.
        self.turn = asyncio.Lock()
        self.is_greeted = False
        self.is_open = False

    def holder(self) -> str:
        return slots.holder_of(self.scope["auth"])

    async def prepare(self) -> None:
        await self.turn.acquire()  # until it has been greeted
        self.is_open = True

    async def serve(self, watch: Watch) -> tuple[int, str]:
        async with bus.join() as deliveries, calling(watch, deliveries.close):
            first = await deliveries.next()
            if first is not None:
                await self._greet(first.cursor)
            self._give_turn()
            while (delivery := await deliveries.next()) is not None and delivery.complete:
                async with self.turn:
                    await self._deliver(delivery)
        return (RESTARTS, "") if shutdown.has_begun() or watch.is_over else BEHIND

    def leave(self) -> None:
        self.is_open = False
        self._give_turn()
        for channel in self.subscriptions:
            bus.here().unwatch(channel)
        self.subscriptions.clear()

    def _give_turn(self) -> None:
        """Let messages of the client be answered, once."""
        if not self.is_greeted:
            self.is_greeted = True
            self.turn.release()

    async def _greet(self, cursor: int) -> None:
        self.cursor = cursor
        await self.send_json({"type": "hello", "cursor": str(cursor)})
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        for name in query.get("channel", []):
            after = query.get("after", [""])[-1]
            await self.receive_json({"type": "subscribe", "channel": name, "after": after})

    async def _deliver(self, delivery: Delivery) -> None:
        self.cursor = delivery.cursor
        for channel, subscription in self.subscriptions.items():
            told = delivery.told.get(channel, ())
            await self._tell(channel, subscription, told, delivery.cursor)

    async def _tell(
        self, channel: str, subscription: Subscription, told: Sequence[Told], cursor: int
    ) -> None:
        """Send what is new. Only the last message has the new cursor: it covers all of them."""
        new = [one for one in told if _is_new(one, subscription)]
        after = max(subscription.cursor, cursor)
        name = body.dumps(channel).decode()
        for place, one in enumerate(new, 1):
            reached = after if place == len(new) else subscription.cursor
            head = f'{{"type":"{one.kind}","channel":{name},"cursor":"{reached}"'
            await self.send(text_data=f'{head},"{one.kind}":{one.text}}}')
        subscription.cursor = after
        subscription.seen = {one for one in subscription.seen if one > after}

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: object
    ) -> None:
        """Read a message. What cannot be read is answered, and the socket stays."""
        with suppress(OSError):  # a client may leave at any moment
            async with self.turn:
                if self.is_open:
                    await self._read(text_data or "")

    async def _read(self, text: str) -> None:
        try:
            message = body.parse(text.encode())
            if not isinstance(message, dict):
                raise Invalid("A message must be an object.")
        except Problem as problem:
            await self._refuse({}, problem)
        else:
            await self.receive_json(message)

    async def receive_json(self, content: Any, **kwargs: object) -> None:
        """Answer a message."""
        message: Mapping[str, Any] = content
        try:
            verb, name = message.get("type"), message.get("channel")
            if verb == "ping":
                await self.send_json({"type": "pong", "cursor": str(self.cursor)})
                return
            if verb not in ("subscribe", "unsubscribe"):  # it may be of any type, also unhashable
                raise Invalid("type must be subscribe, unsubscribe or ping")
            if not isinstance(name, str) or not name:
                raise Invalid("channel must be a text")
            if verb == "unsubscribe":
                await self._unsubscribe(name)
            else:
                await self._subscribe(name, _cursor(message.get("after")), self.scope["auth"])
        except (Problem, DatabaseError, InterfaceError) as failure:
            await self._refuse(message, errors.meaning_of(failure) or Unavailable())

    async def _refuse(self, message: Mapping[str, Any], problem: Problem) -> None:
        told = families.explained(problem.code, problem.message)
        asked = {name: message.get(name) for name in ("channel", "ref")}
        status = http.status_of(problem)
        await self.send_json({"type": "error", **asked, "status": status, **told})

    async def _subscribe(self, name: str, after: int | None, caller: Caller) -> None:
        """Watch a channel; first comes what happened in it after the cursor."""
        if caller.counted_as:
            limits.take(READ, caller.counted_as)
        if len(self.subscriptions) >= MOST_CHANNELS and name not in self.subscriptions:
            raise TooManyChannels
        watched = await bus.thread.run(lambda: channels.named(name, caller))
        channel, owners = watched.name, watched.owners
        if channel not in self.subscriptions:
            bus.here().watch(channel)
            self.subscriptions[channel] = Subscription(self.cursor, owners)
        told, complete = ([], True) if after is None else await _missed(watched, after)
        start = self.cursor if after is None or not complete else after
        subscription = self.subscriptions[channel] = Subscription(start, owners)
        await self.send_json(
            {
                "type": "subscribed",
                "channel": channel,
                "cursor": str(start),
                "complete": complete,
            }
        )
        await self._tell(channel, subscription, told, self.cursor)
        subscription.seen |= {one.event_id for one in told if one.event_id is not None}
        if channel.startswith(AGENTS):
            await self._introduce(channel, subscription)

    async def _introduce(self, channel: str, subscription: Subscription) -> None:
        agent_id = channel.removeprefix(of_agent(""))
        found = await bus.thread.until_read(lambda: presence.read([agent_id]))
        told = [one.told for one in found.values()]
        await self._tell(channel, subscription, told, subscription.cursor)

    async def _unsubscribe(self, given: str) -> None:
        name = channels.spelled(given)
        if self.subscriptions.pop(name, None) is not None:
            bus.here().unwatch(name)
        await self.send_json({"type": "unsubscribed", "channel": name})

    @classmethod
    async def encode_json(cls, content: Any) -> str:
        return body.dumps(content).decode()


async def _missed(watched: Watched, after: int) -> tuple[Sequence[Told], bool]:
    """What was told in a channel after a cursor, and whether that is all of it."""
    name, since = watched.name, watched.since
    missed = await bus.thread.until_read(lambda: channels.missed(name, after, since))
    return [told for one in missed.happenings for told in one.told_in(name)], missed.complete


def _is_new(told: Told, subscription: Subscription) -> bool:
    if subscription.owners is not None and told.owner not in subscription.owners:
        return False
    number = told.event_id
    return number is None or (number > subscription.cursor and number not in subscription.seen)


def _cursor(given: object) -> int | None:
    if given is None or isinstance(given, str):
        return as_cursor(given or "")
    if isinstance(given, int) and not isinstance(given, bool):
        return as_cursor(str(given))
    raise Invalid("after must be a cursor of this socket")
