"""A message by mail, in the receiver's language; the server is named by `COORDINATOR_MAIL_URL`."""

import io
import smtplib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.utils import translation
from django.utils.translation import gettext as _

from notifications.models import Event
from notifications.webhooks import ARRIVED, Verdict
from routing.wire import Bounded, Cut, Deadline

PERMANENT = range(550, 555)
"""What a mail server answers for an address that there is not."""
WITHIN = 30.0  # seconds for all that is said about one message
MOST_SAID = 256 * 1024
"""Bytes of what a mail server says about one message."""


class _InTime:
    """SMTP with a server that may take its time for no word, and not for all of them either."""

    file: Any = None
    sock: Any

    def __init__(self, *where: Any, deadline: Deadline, **more: Any) -> None:
        self.deadline = deadline
        super().__init__(*where, **more)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            self.file = io.BufferedReader(Bounded(self.sock, self.deadline, MOST_SAID))
        said: tuple[int, bytes] = super().getreply()  # type: ignore[misc]  # of SMTP
        return said


class _Plain(_InTime, smtplib.SMTP):
    """Over a connection that may become one with TLS."""


class _WithTLS(_InTime, smtplib.SMTP_SSL):
    """Over TLS from the beginning."""


class _Backend(EmailBackend):
    """Django's, within a time."""

    @property
    def connection_class(self) -> Callable[..., smtplib.SMTP]:  # type: ignore[override]
        return partial(_WithTLS if self.use_ssl else _Plain, deadline=Deadline(WITHIN))


def is_there() -> bool:
    """Whether there is a server that sends mail."""
    return bool(settings.EMAIL_HOST)


def send(address: str, data: Mapping[str, object], language: str) -> Verdict:
    """Make one attempt."""
    if not is_there():
        return Verdict("no_mail_server")
    with translation.override(language):
        said, sender = (subject(data), text(data)), settings.DEFAULT_FROM_EMAIL
        message = EmailMessage(*said, sender, [address], connection=_Backend())
    try:
        message.send()
    except SMTPResponseException as problem:
        return _refused(problem.smtp_code)
    except SMTPRecipientsRefused as problem:
        [(code, _said)] = problem.recipients.values()
        return _refused(code)
    except (SMTPException, OSError, Cut):
        return Verdict("mail_server")
    return ARRIVED


def _refused(code: int) -> Verdict:
    return Verdict(f"smtp_{code}", is_final=code in PERMANENT)


def subject(data: Mapping[str, object]) -> str:
    """One line: what happened, and the beginning of the sentence about it."""
    sentence = " ".join(str(data.get("text", "")).split())
    begun = f"{sentence[:117]}…" if len(sentence) > 118 else sentence
    what = Event(str(data["type"])).label
    return f"[Coordinator] {what}: {begun}"


def text(data: Mapping[str, object]) -> str:
    """The sentence, what it is about, since when, and where to look."""
    lines = [str(data.get("text", ""))]
    if about := named(data):
        lines += ["", *about]
    if since := data.get("since"):
        moment = datetime.fromisoformat(str(since)).astimezone(UTC)
        lines += ["", _("Since %(moment)s") % {"moment": f"{moment:%Y-%m-%d %H:%M:%S} UTC"}]
    if url := data.get("url"):
        lines += ["", str(url)]
    return "\n".join([*lines, ""])


def named(data: Mapping[str, object]) -> list[str]:
    """The first things that it is about, a line for each, and a mark where there are more."""
    about = data.get("about")
    titles = [str(one.get("title", "")) for one in about] if isinstance(about, list) else []
    lines = [f"- {' '.join(title.split())}" for title in titles if title.strip()]
    return [*lines, "- …"] if lines and data.get("count") != len(titles) else lines
