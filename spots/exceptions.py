"""Refusals of a SPOT's report, in seed 004's words."""

from problems import Conflict, NotFound


class SpotTaskUnknown(NotFound):
    """task not found"""

    code = "task_not_found"


class NotAssigned(Conflict):
    """task not assigned to this spot"""

    code = "wrong_spot"


class TaskCancelled(Conflict):
    """task was cancelled"""

    code = "task_cancelled"
