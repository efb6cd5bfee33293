"""What can keep a verb from a receiver or a delivery."""

from problems import Conflict


class NotDead(Conflict):
    """The message is no dead letter."""

    code = "not_dead"


class NotWaiting(Conflict):
    """The message has ended already."""

    code = "not_waiting"


class NotEnabled(Conflict):
    """The receiver is not enabled."""

    code = "not_enabled"
