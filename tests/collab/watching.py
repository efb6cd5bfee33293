"""Clients of the realtime socket and of the streams of jobs, as tests use them."""

import json
import time
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tasks import leases, reports
from tasks.rows import Outcome
from tests.serving import NO_TLS

WITHIN = 10.0


class Watcher:
    """An open socket and what it has been sent."""

    def __init__(self, socket):
        self.socket = socket
        self.messages = []

    def next(self, within=WITHIN):
        message = json.loads(self.socket.recv(within))
        self.messages.append(message)
        return message

    def until(self, condition):
        deadline = time.monotonic() + WITHIN
        while not condition(message := self.next()):
            assert time.monotonic() < deadline
        return message

    def answer(self, type_):
        return self.until(lambda message: message["type"] == type_)

    def say(self, **message):
        self.socket.send(json.dumps(message))

    def subscribe(self, channel, **more):
        self.say(type="subscribe", channel=channel, **more)
        return self.until(lambda one: one["type"] in {"subscribed", "error"})

    def event(self, type_):
        """The envelope of the next event of this type."""
        message = self.until(lambda one: one["type"] == "event" and one["event"]["type"] == type_)
        return message["event"]

    def types(self, channel):
        """The types that were told in a channel so far, in order."""
        return [one["event"]["type"] for one in self.messages if told_in(one, channel)]

    def ids(self, channel):
        return [one["event"]["id"] for one in self.messages if told_in(one, channel)]

    @property
    def cursor(self):
        return self.messages[-1]["cursor"]

    def end(self):
        try:
            while True:
                self.next()
        except ConnectionClosed:
            return self.socket.close_code


def told_in(message, channel):
    return message["type"] == "event" and message["channel"] == channel


@contextmanager
def opened(server, *channels, headers=None, **query):
    asked = urlencode([*query.items(), *(("channel", one) for one in channels)])
    url = f"{server.url.replace('http', 'ws')}/realtime/v1/websocket?{asked}"
    given = server.headers if headers is None else headers
    with connect(url, additional_headers=given, compression=None) as socket:
        yield Watcher(socket)


@contextmanager
def watching(server, *channels, **more):
    """The same, once it has been greeted and its channels are watched."""
    with opened(server, *channels, **more) as watcher:
        watcher.answer("hello")
        for _ in channels:
            watcher.until(lambda one: one["type"] in {"subscribed", "error"})
        yield watcher


class Following:
    """An open stream of server-sent events, and those that it has brought."""

    def __init__(self, response):
        self.response = response
        self.lines = response.iter_lines()
        self.events = []

    def next(self):
        """The next event: its name, its data, and the id if it has one; None at the end."""
        fields = {}
        for line in self.lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                event = fields["event"], json.loads(fields["data"]), fields.get("id")
                self.events.append(event)
                return event
            else:
                fields = {}
        return None

    def until_greeted(self):
        """Read until the id from which on all is told."""
        for line in self.lines:
            if line.startswith("id: "):
                self.events.append(("", {}, line.removeprefix("id: ")))
                return

    def until(self, name):
        while (event := self.next()) is not None:
            if event[0] == name:
                return event
        raise AssertionError(f"There was no {name}, but {self.names}.")

    def rest(self):
        """The names of all that comes until the end."""
        names = []
        while (event := self.next()) is not None:
            names.append(event[0])
        return names

    @property
    def names(self):
        return [name for name, _, _ in self.events]

    @property
    def last_id(self):
        return [number for _, _, number in self.events if number][-1]


@contextmanager
def following(server, path, *, headers=None, after=None, **query):
    given = dict(server.headers if headers is None else headers)
    if after is not None:
        given["Last-Event-ID"] = str(after)
    with httpx.stream(
        "GET", server.url + path, params=query, headers=given, timeout=WITHIN, verify=NO_TLS
    ) as response:
        yield Following(response)


def work_off(task, agent):
    """The agent starts what it holds, and ends it well."""
    leases.start(task.pk, agent_id=agent)
    reports.report(agent, [Outcome(task.pk, True, {"answer": 42})])
