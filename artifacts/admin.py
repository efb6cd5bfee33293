"""Artifacts in the admin: which files there are, of which tasks, and their deletion."""

import re
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from accounts import columns
from artifacts.models import Artifact
from artifacts.verbs import ARTIFACT_VERBS
from console import names
from console.admin import ConsoleAdmin

KEY = re.compile("[0-9]{1,18}", re.ASCII)

names.give(Artifact, _("file"), _("files"))


@admin.register(Artifact)
class ArtifactAdmin(ConsoleAdmin):
    verbs = ARTIFACT_VERBS
    list_display = ["path", "of_task", "readable_size", "attempt", "created_at"]
    search_fields = ["path"]
    search_help_text = _("The whole id of a task, or a part of a path of one of the latest files.")
    searched_text = "path"
    sortable = ("created_at",)
    ordering = ["-pk"]
    fieldsets = [
        (None, {"fields": ["path", "of_task", "attempt", "created_at"]}),
        (_("Content"), {"fields": ["readable_size", "size", "sha256", "content_type", "key"]}),
    ]
    readonly_fields = ["of_task", "attempt", "readable_size"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Model], search_term: str
    ) -> tuple[QuerySet[Model], bool]:
        try:
            return queryset.filter(task=UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Model]
    ) -> HttpResponse | None:
        """Django looks for rows with the keys as they were sent, and fails on what is no number."""
        if not all(map(KEY.fullmatch, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            raise BadRequest("A value in the request cannot be used.")
        response: HttpResponse | None = super().response_action(request, queryset)
        return response

    def heading(self, obj: object) -> str:
        return obj.path if isinstance(obj, Artifact) else str(obj)

    @admin.display(description=_("task"))
    def of_task(self, artifact: Artifact) -> str:
        return columns.linked(artifact.task_id, "tasks_task")

    @admin.display(description=_("attempt"))
    def attempt(self, artifact: Artifact) -> int:
        return artifact.epoch

    @admin.display(description=_("size"))
    def readable_size(self, artifact: Artifact) -> str:
        return filesizeformat(artifact.size)
