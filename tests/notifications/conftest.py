"""Receivers that tests run: an HTTP server and a mail server, both on this machine."""

from contextlib import ExitStack, contextmanager
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller

from benchmarks.demo.providers import LocalProvider
from tests.coordinator_project.running import free_port


@pytest.fixture
def serve():
    """Starts an HTTP server that answers as it is told; all end with the test."""
    with ExitStack() as all_of_them:
        yield lambda act=arrive: all_of_them.enter_context(LocalProvider(act))


def arrive(exchange, asked):
    exchange.say(204, b"")


class MailBox:
    """What the mail server took; `answer` is what it says to the next ones, `recipient` of whom
    they are for.
    """

    def __init__(self):
        self.mails = []
        self.answer = self.recipient = "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  # as aiosmtpd calls it
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.answer


@contextmanager
def mail_server(box):
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


@pytest.fixture
def mail_box(settings):
    box = MailBox()
    with mail_server(box) as port:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        yield box
