"""Channels: named queues of tasks."""

from coordinator_client.call import Call, one, path
from coordinator_client.models import Channel, Page
from coordinator_client.pages import Filter, listing
from coordinator_client.values import given


def channels(**filters: Filter) -> Call[Page[Channel]]:
    return listing(Channel, ("v1", "channels"), "channels", **filters)


def channel(name: str) -> Call[Channel]:
    where = path("v1", "channels", "by-name", name)
    return Call(method="GET", path=where, read=one(Channel, "channel"), repeatable=True)


def create_channel(name: str, *, description: str | None = None) -> Call[Channel]:
    return Call(
        method="POST",
        path="/v1/channels",
        body=given(name=name, description=description),
        read=one(Channel, "channel"),
    )


def pause_channel(channel_id: str, *, reason: str | None = None) -> Call[Channel]:
    return steer(channel_id, "pause", reason)


def resume_channel(channel_id: str, *, reason: str | None = None) -> Call[Channel]:
    return steer(channel_id, "resume", reason)


def steer(channel_id: str, verb: str, reason: str | None) -> Call[Channel]:
    return Call(
        method="POST",
        path=path("v1", "channels", channel_id, verb),
        body=given(reason=reason),
        read=one(Channel, "channel"),
        repeatable=True,
    )
