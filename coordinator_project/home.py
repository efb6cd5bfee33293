"""The home of the admin: the state of the coordinator, from what is counted and kept anyway."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import cells
from accounts.rights import VIEW
from agents.models import Presence
from coordinator_project.health import late_passes, led, signs
from dashboard.counters import counters
from tasks.states import Status

OPEN = (Status.QUEUED, Status.IN_PROGRESS, Status.LOCKED, Status.FAILED)
WRONG = {Status.LOCKED: "held", Status.FAILED: "bad"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its name, the list that it counts, and its tone."""

    name: str
    value: str
    link: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that the coordinator needs, and whether it is well."""

    name: str
    well: bool
    words: str


def home(request: HttpRequest, context: dict[str, object]) -> dict[str, object]:
    """What the page shows of the coordinator, to those who may look."""
    if request.user.has_perm(VIEW):
        context |= {"figures": figures(), "parts": parts()}
    return context


def figures() -> list[Figure]:
    """The counters of the dashboard, each with a link to what it counts."""
    known = counters.read()
    tasks, agents = reverse("admin:tasks_task_changelist"), reverse("admin:agents_agent_changelist")
    by_status = known["tasks"]
    if not isinstance(by_status, dict):
        raise TypeError("The counters have tasks by status.")
    online = f"{_number(known['agents_online'])} / {_number(known['agents_total'])}"
    waiting = known["oldest_waiting_at"]
    return [
        Figure(_("Agents online"), online, f"{agents}?presence={Presence.ONLINE}"),
        *(
            Figure(
                cells.word(status.label),
                _number(by_status.get(status, 0)),
                f"{tasks}?status__exact={status}",
                WRONG.get(status, "") if by_status.get(status) else "",
            )
            for status in OPEN
        ),
        Figure(
            _("Dead letters"),
            _number(known["dead_letters"]),
            f"{tasks}?status__exact={Status.FAILED}",
            "bad" if known["dead_letters"] else "",
        ),
        Figure(_("Failures in the last hour"), _number(known["failures_last_hour"])),
        Figure(_("Oldest that waits"), cells.moment(waiting)),  # type: ignore[arg-type]
    ]


def parts() -> list[Part]:
    """The loop and the processes; the database is well, or this page would not be shown."""
    late = late_passes()
    names = ", ".join(late)
    leading = led()
    if not leading:
        said = _("no process leads it")
    elif late:
        said = ngettext("late: %(names)s", "late: %(names)s", len(late)) % {"names": names}
    else:
        said = _("all passes are in time")
    found = signs()
    silent = [sign.name for sign in found if not sign.ok]
    answers = ngettext("%(count)d answers", "%(count)d answer", len(found)) % {"count": len(found)}
    quiet = _("silent: %(names)s") % {"names": ", ".join(silent)}
    return [
        Part(_("Maintenance loop"), leading and not late, said),
        Part(_("Processes"), not silent, quiet if silent else answers),
    ]


def _number(value: object) -> str:
    return number_format(value) if isinstance(value, int) else str(value)
