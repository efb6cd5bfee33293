"""What people may do to channels: pause and resume."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.permissions import OPERATE
from console.sentences import told
from console.verbs import By, Values, Verb, one_by_one
from tasks import transitions
from tasks.models import Channel, Task


def snapshot(channel: Channel) -> dict[str, object]:
    return {"paused": channel.paused_at is not None, "pause_reason": channel.pause_reason}


def _pause_will(channels: QuerySet[Channel], values: Values) -> list[str]:
    return told(
        (
            channels.filter(paused_at=None).count(),
            ngettext_lazy(
                "Pauses %(count)d channel: claims get nothing from it.",
                "Pauses %(count)d channels: claims get nothing from them.",
                "count",
            ),
        ),
        (
            channels.filter(paused_at__isnull=False).count(),
            ngettext_lazy(
                "%(count)d is paused already; its reason changes.",
                "%(count)d are paused already; their reason changes.",
                "count",
            ),
        ),
        (
            Task.objects.in_progress().filter(channel__in=channels.order_by().values("pk")).count(),
            ngettext_lazy(
                "%(count)d task in progress goes on.", "%(count)d tasks in progress go on.", "count"
            ),
        ),
    )


def _resume_will(channels: QuerySet[Channel], values: Values) -> list[str]:
    return told(
        (
            channels.filter(paused_at__isnull=False).count(),
            ngettext_lazy(
                "Resumes %(count)d channel: claims get its tasks again.",
                "Resumes %(count)d channels: claims get their tasks again.",
                "count",
            ),
        )
    )


@one_by_one
def _pause(channel: Channel, by: By, values: Values) -> None:
    transitions.pause_channel(channel.pk, by=by.actor, reason=by.reason)


@one_by_one
def _resume(channel: Channel, by: By, values: Values) -> None:
    transitions.resume_channel(channel.pk, by=by.actor, reason=by.reason)


CHANNEL_VERBS: list[Verb[Channel]] = [
    Verb("pause", _("Pause"), OPERATE, _pause_will, _pause, snapshot, icon="pause"),
    Verb("resume", _("Resume"), OPERATE, _resume_will, _resume, snapshot, icon="play_arrow"),
]
