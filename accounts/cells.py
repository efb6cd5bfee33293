"""How pages show a status, an id and a moment: the same in every list of the admin."""

import re
from datetime import datetime

from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext

NONE = "\u2013"
SHORT = 8
"""Characters of an id that are shown: the last, since ids made at one time begin alike."""
ID = re.compile(r"(?:job-)?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
"""Made by a machine, so that its end is enough; names that clients chose are shown whole."""


def word(label: object) -> str:
    """The label of a choice as people write it: Django makes `In Progress` of a name."""
    first, *others = str(label).split(" ")
    return " ".join([capfirst(first), *(one.lower() if one.istitle() else one for one in others)])


def status(value: object, label: object) -> str:
    """A coloured label; `theme.css` has a colour for the value."""
    return format_html('<span class="status {}">{}</span>', str(value).lower(), word(label))


def shortened(whole: object) -> str:
    """The end of an id that says nothing; any other is shown as it is."""
    text = str(whole or "")
    return text[-SHORT:] if ID.fullmatch(text) else text


def short_id(whole: object) -> str:
    """The end of an id, with the whole on hover and a button that copies it."""
    text = str(whole or "")
    if not text:
        return NONE
    shown = shortened(text)
    copy = gettext("Copy the id")
    return format_html(
        '<span class="short-id"><code title="{}">{}</code>'
        '<button type="button" class="copy" data-copy="{}" title="{}" aria-label="{}: {}">'
        "</button></span>",
        *(text, shown, text, copy, copy, shown),
    )


def moment(at: datetime | None) -> str:
    """How long ago it was, or will be, with the time on hover."""
    if at is None:
        return NONE
    time = '<time datetime="{}" title="{}">{}</time>'
    return format_html(time, at.isoformat(), when(at), ago_of(at))


def ago_of(at: datetime) -> str:
    """How long ago it was, or will be, in words."""
    now = timezone.now()
    if abs((now - at).total_seconds()) < 60:
        return gettext("just now")
    if at < now:
        return gettext("%(time)s ago") % {"time": timesince(at, now, depth=1)}
    return gettext("in %(time)s") % {"time": timeuntil(at, now, depth=1)}


def whole_moment(at: datetime | None) -> str:
    """The time, and how long ago that was."""
    if at is None:
        return NONE
    return format_html("{} ({})", when(at), ago_of(at))


def when(at: datetime | None) -> str:
    """The time in the reader's zone, with the zone's distance from UTC."""
    if at is None:
        return NONE
    local = timezone.localtime(at)
    return f"{localize(local)} {format_offset(local)}"


def format_offset(local: datetime) -> str:
    """Such as +09:00."""
    text = local.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


def long(text: object) -> str:
    """A text that is cut where it has no room, and whole on hover."""
    if text in ("", None):
        return NONE
    return format_html('<span class="long" title="{}">{}</span>', text, text)
