"""Why no runner may have a command, for people who know its image and not our labels."""

from django.utils.translation import gettext as _

from jobs.commands import CONTAINER, EXECUTOR
from tasks.models import Task


def unserved(task: Task) -> tuple[str, str] | None:
    """What no runner that is present offers, and what helps; None where no image is wanted."""
    wants = {**task.requirement.wants, **task.requirement.requires} if task.requirement else {}
    if wants.pop(EXECUTOR, None) != CONTAINER:
        return None
    offer = ", ".join(f"{key}={value}" for key, value in sorted(wants.items()))
    if offer:
        text = _("Its image needs a runner with containers; none that offers %(offer)s is online.")
        remedy = _("Start a runner with docker, podman or nerdctl that offers %(offer)s.")
        return text % {"offer": offer}, remedy % {"offer": offer}
    return (
        _("Its image needs a runner with containers, and none is online."),
        _("Start a runner where docker, podman or nerdctl is."),
    )
