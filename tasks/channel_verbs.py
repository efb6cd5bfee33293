"""What people may do to channels: pause and resume."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.verbs import Preview, Verb, When, by_key
from tasks import transitions
from tasks.models import Channel, Task


def snapshot(channel: Channel) -> dict[str, object]:
    return {"paused": channel.paused_at is not None, "pause_reason": channel.pause_reason}


OPEN, PAUSED = When(paused_at=False), When(paused_at=True)
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
    ),
]
