"""What people may do to channels: pause and resume."""

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.conditions import When
from console.verbs import Preview, Verb, by_key
from tasks import transitions
from tasks.models import Channel, Task
from tasks.queue import ALONE, IN_CHAIN, MATCHING, READY


def snapshot(channel: Channel) -> dict[str, object]:
    return {"paused": channel.paused_at is not None, "pause_reason": channel.pause_reason}


OPEN, PAUSED = When(paused_at=False), When(paused_at=True)


def has_ready() -> Q:
    """Channels with a task that a claim may give out now, to somebody."""
    of_channel = Task.objects.filter(channel=OuterRef("pk")).order_by()
    reserved = READY & Q(reserved_for__isnull=False)
    found = Q()
    for kind in (ALONE, IN_CHAIN, MATCHING, reserved):  # each has an index
        found |= Q(Exists(of_channel.filter(kind)))
    return found


GIVING = When({"ready": has_ready}, paused_at=False, ready=True)
CHANNEL_VERBS: list[Verb[Channel]] = [
    Verb(
        "pause",
        _("Pause"),
        [
            Preview(
                OPEN,
                ngettext_lazy(
                    "Pauses %(count)d channel: claims get nothing from it.",
                    "Pauses %(count)d channels: claims get nothing from them.",
                    "count",
                ),
            ),
            Preview(
                PAUSED,
                ngettext_lazy(
                    "%(count)d is already paused; its reason changes.",
                    "%(count)d are already paused; their reasons change.",
                    "count",
                ),
            ),
            Preview(
                lambda channels, _: Task.objects.in_progress().filter(
                    channel__in=channels.order_by().values("pk")
                ),
                ngettext_lazy(
                    "%(count)d task in progress goes on.",
                    "%(count)d tasks in progress go on.",
                    "count",
                ),
            ),
        ],
        by_key(transitions.pause_channel),
        snapshot,
        OPEN,
        icon="pause",
        help=_("Claims get nothing from it; what runs goes on."),
    ),
    Verb(
        "resume",
        _("Resume"),
        [
            Preview(
                PAUSED,
                ngettext_lazy(
                    "Resumes %(count)d channel: claims get its tasks again.",
                    "Resumes %(count)d channels: claims get their tasks again.",
                    "count",
                ),
            )
        ],
        by_key(transitions.resume_channel),
        snapshot,
        PAUSED,
        icon="play_arrow",
        help=_("Claims get its tasks again."),
    ),
]
