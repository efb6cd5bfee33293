"""Jobs in the admin: progress, results, failures, and the verbs."""

from collections.abc import Mapping
from datetime import timedelta

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts import cells, columns
from api import sizes
from console import names
from console.admin import ConsoleAdmin, Table
from console.filters import AgeFilter
from events.models import Event
from events.querysets import EventQuerySet
from jobs import answers, command_transitions, coordinates, progress, results
from jobs.commands import CommandStatus
from jobs.models import Job, JobKind
from jobs.verbs import JOB_VERBS
from tasks.models import Task

SHOWN = 20
"""Failed tasks on a job's page, the last ones, of a job that has more."""
LEADERS = 10
"""Results on a job's page, the smallest `fopt` first."""

names.give(Job, _("job"), _("jobs"))


@admin.register(Job)
class JobAdmin(ConsoleAdmin):
    verbs = JOB_VERBS
    list_display = [
        "called",
        "kind",
        "status",
        "total",
        "completed",
        "failed",
        "cancelled",
        "priority",
        "created_at",
        "whole_id",
    ]
    sortable = ("created_at",)
    list_filter = ["status", "kind", AgeFilter]
    search_fields = ["name"]
    search_help_text = _("The beginning of an id, or a part of a name")
    searched_text = "name"
    ordering = ["-id"]
    fieldsets = [
        (None, {"fields": ["public_id", "name", "kind", "status", "priority"]}),
        (None, {"fields": ["user", "created_at", "started_at", "finished_at"]}),
        (_("Specification"), {"fields": ["specification"], "classes": ["collapse"]}),
    ]
    readonly_fields = ["public_id"]
    read_too = ("name",)

    @admin.display(description=_("name"))
    def called(self, job: Job) -> str:
        """Its name, or its id where nobody gave it one."""
        return cells.long(job.name) if job.name else cells.shortened(job.public_id)

    @admin.display(description=_("id"))
    def whole_id(self, job: Job) -> str:
        return cells.short_id(job.public_id)

    @admin.display(description=_("id"))
    def public_id(self, job: Job) -> str:
        return job.public_id

    def heading(self, obj: object) -> str:
        return (obj.name or obj.public_id) if isinstance(obj, Job) else str(obj)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Job | None:
        """The job as it is at this moment; a list shows what is a second old."""
        job = super().get_object(request, object_id, from_field)
        if job is None:
            return None
        job = Job.objects.counted().get(pk=job.pk)
        job.status, job.failed = job.counted_status, job.counted_failed
        job.started_at, job.finished_at = job.counted_started_at, job.counted_finished_at
        return job

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Model], search_term: str
    ) -> tuple[QuerySet[Model], bool]:
        return super().get_search_results(
            request, queryset, search_term.strip().removeprefix("job-")
        )

    def events_about(self, obj: Model) -> EventQuerySet:
        return Event.objects.about_job(obj.pk)

    def tables(self, request: HttpRequest, obj: Model) -> list[Table]:
        if not isinstance(obj, Job):
            return []
        if obj.kind == JobKind.COMMAND:
            return [_command(obj), *_unserved(obj)]
        return [_progress(obj), *_unserved(obj), _best(obj), _failed(obj)]


def _command(job: Job) -> Table:
    """What it runs, and what became of it."""
    command = command_transitions.known(job.pk)
    said = {
        gettext("Status"): CommandStatus(command.status).label,
        gettext("Exit code"): command.final_exit_code,
        gettext("Agent"): command.worker_id,
        gettext("Reason"): command.last_error,
        gettext("Command"): job.specification["job_command"],
        gettext("Task"): _link(command.task, cells.shortened(command.task_id))
        if command.task
        else None,
        gettext("Log and files"): _run(command.task) if command.task else None,
    }
    return Table(gettext("Command"), list(said), [list(said.values())])


def _progress(job: Job) -> Table:
    """Its present counts, and how much time is left."""
    running = progress.running_of([job]).get(job.pk, 0)
    ended = job.counted_completed + job.counted_failed + job.counted_cancelled
    left = progress.seconds_left(job)
    percent = ended * 100 // job.counted_total if job.counted_total else 0
    bar = format_html(
        '<progress max="100" value="{}" aria-label="{}"></progress> {} %',
        percent,
        gettext("Progress"),
        percent,
    )
    counts = {
        gettext("Progress"): bar,
        gettext("Done"): job.counted_completed,
        gettext("Failed"): job.counted_failed,
        gettext("Cancelled"): job.counted_cancelled,
        gettext("In progress"): running,
        gettext("Waiting"): max(job.counted_total - ended - running, 0),
        gettext("All"): job.counted_total,
        gettext("Time left"): timedelta(seconds=round(left)) if left else None,
    }
    return Table(gettext("Progress"), list(counts), [list(counts.values())])


def _unserved(job: Job) -> list[Table]:
    """Tasks that wait for what no agent offers, if there are any."""
    rows = [[unserved.tasks, _spelled(unserved.wants)] for unserved in progress.unserved(job)]
    heads = [gettext("Tasks"), gettext("Want")]
    return [Table(gettext("No agent online offers this"), heads, rows)] if rows else []


def _best(job: Job) -> Table:
    """The tasks with the smallest `fopt`."""
    found = results.ResultOrder(job, "fopt").applied_to(results.of(job, QueryDict()))
    rows = [
        [
            _link(task, cells.shortened(task.pk)),
            answers.result(task).get("fopt"),
            _spelled(coordinates.of(task.payload)),
            columns.linked(task.last_holder, "agents_agent"),
            cells.moment(task.finished_at),
        ]
        for task in found.filter(Q(by_number__lt=results.BEYOND))[:LEADERS]
    ]
    heads = [
        gettext("Task"),
        "fopt",
        gettext("Parameters"),
        gettext("Agent"),
        gettext("Finished"),
    ]
    return Table(gettext("Best results"), heads, rows)


def _failed(job: Job) -> Table:
    """The last failed tasks by id, the order of an index."""
    failed = Task.objects.filter(job=job).failed()
    rows = [
        [
            _link(task, task.title),
            columns.choice(task, "dead_letter"),
            task.fail_reason,
            columns.linked(task.last_holder, "agents_agent"),
            f"{task.attempts} / {task.max_attempts}",
            cells.moment(task.finished_at),
        ]
        for task in sizes.without(failed, {"title", "fail_reason"}).order_by("-id")[:SHOWN]
    ]
    title = gettext("Failed tasks")
    if others := failed.count() - len(rows):
        more = ngettext("%(count)d more is not shown", "%(count)d more are not shown", others)
        title = f"{title} ({more % {'count': others}})"
    heads = [
        gettext("Task"),
        gettext("Dead letter"),
        gettext("Reason"),
        gettext("Agent"),
        gettext("Attempts"),
        gettext("Finished"),
    ]
    return Table(title, heads, rows)


def _link(task: Task, text: str) -> str:
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:tasks_task_change", args=[task.pk]), text
    )


def _run(task: Task) -> str:
    """A link to the page of the dashboard with the log, as it grows, and the files."""
    return format_html('<a href="/#/run/{}">{}</a>', task.pk, gettext("Open"))


def _spelled(wants: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in wants.items())
