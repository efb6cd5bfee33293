"""What people may do to receivers and deliveries."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from console.conditions import Values, When
from console.verbs import By, Preview, Verb, one_by_one
from notifications import transitions
from notifications.models import Delivery, DeliveryStatus, Receiver

ENABLED = When(enabled=True)
DEAD = When(status=[DeliveryStatus.DEAD])
WAITING = When(status=[DeliveryStatus.WAITING])


def receiver_snapshot(receiver: Receiver) -> dict[str, object]:
    return {"name": receiver.name, "kind": receiver.kind, "enabled": receiver.enabled}


def delivery_snapshot(delivery: Delivery) -> dict[str, object]:
    return {"event": delivery.event, "status": delivery.status, "attempts": delivery.attempts}


def _test(receiver: Receiver, by: By, values: Values) -> None:
    transitions.test(receiver.pk, by=by.actor, reason=by.reason)


def _send_again(delivery: Delivery, by: By, values: Values) -> None:
    transitions.send_again(delivery.pk)


def _drop(delivery: Delivery, by: By, values: Values) -> None:
    transitions.drop(delivery.pk)


RECEIVER_VERBS: list[Verb[Receiver]] = [
    Verb(
        "test",
        _("Send a test"),
        [
            Preview(
                ENABLED,
                ngettext_lazy(
                    "Sends a message to %(count)d receiver.",
                    "Sends a message to %(count)d receivers.",
                    "count",
                ),
                ngettext_lazy("%(count)d is not enabled.", "%(count)d are not enabled.", "count"),
            )
        ],
        one_by_one(_test),
        receiver_snapshot,
        ENABLED,
        icon="send",
    ),
]

DELIVERY_VERBS: list[Verb[Delivery]] = [
    Verb(
        "send_again",
        _("Send again"),
        [
            Preview(
                DEAD,
                ngettext_lazy(
                    "Gives %(count)d message all its attempts again.",
                    "Gives %(count)d messages all their attempts again.",
                    "count",
                ),
                ngettext_lazy(
                    "%(count)d is no dead letter.", "%(count)d are no dead letters.", "count"
                ),
            )
        ],
        one_by_one(_send_again),
        delivery_snapshot,
        DEAD,
        icon="refresh",
    ),
    Verb(
        "drop",
        _("Drop"),
        [
            Preview(
                WAITING,
                ngettext_lazy(
                    "Makes %(count)d message that waits a dead letter.",
                    "Makes %(count)d messages that wait dead letters.",
                    "count",
                ),
                ngettext_lazy(
                    "%(count)d has ended already.", "%(count)d have ended already.", "count"
                ),
            )
        ],
        one_by_one(_drop),
        delivery_snapshot,
        WAITING,
        icon="block",
        danger=True,
    ),
]
