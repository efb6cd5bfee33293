"""The fields of verbs in which an agent or a channel is chosen, and those of a new task."""

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from agents.models import Agent
from api import fields
from api.body import NotJson, parse
from problems import Problem
from tasks.models import Channel, ExecutionMode, Task

LOWEST, HIGHEST = -(2**31), 2**31 - 1
LONGEST_TITLE = 10_000
LONGEST_TEXT = 100_000


def agent_field() -> forms.ModelChoiceField:
    return forms.ModelChoiceField(
        Agent.objects.all(),
        label=_("Agent"),
        widget=AutocompleteSelect(Task._meta.get_field("agent"), admin.site),
        error_messages={"invalid_choice": _("There is no such agent.")},
    )


def channel_field() -> forms.ModelChoiceField:
    return forms.ModelChoiceField(
        Channel.objects.all(),
        label=_("Channel"),
        widget=AutocompleteSelect(Task._meta.get_field("channel"), admin.site),
        error_messages={"invalid_choice": _("There is no such channel.")},
    )


def priority_field(**more: object) -> forms.IntegerField:
    return forms.IntegerField(
        label=_("Priority"),
        min_value=LOWEST,
        max_value=HIGHEST,
        help_text=_("Higher runs first."),
        **more,  # type: ignore[arg-type]  # as for any field
    )


def name_field() -> forms.CharField:
    return forms.CharField(
        label=_("Name"), max_length=fields.LONGEST_NAME, widget=UnfoldAdminTextInputWidget()
    )


def text_field(label: object, *, help_text: object = "") -> forms.CharField:
    """A long text that may be left out."""
    return forms.CharField(
        label=label,  # type: ignore[arg-type]  # a lazy text
        required=False,
        strip=False,
        max_length=LONGEST_TEXT,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=help_text,  # type: ignore[arg-type]  # a lazy text
    )


def task_fields() -> dict[str, forms.Field]:
    """What is asked of a new task."""
    return {
        "title": forms.CharField(
            label=_("Title"), max_length=LONGEST_TITLE, widget=UnfoldAdminTextInputWidget()
        ),
        "description": text_field(_("Description")),
        "priority": priority_field(required=False, initial=0),
        "execution_mode": forms.ChoiceField(
            label=_("Execution mode"),
            required=False,
            choices=[("", "-"), *((mode.value, mode.value) for mode in ExecutionMode)],
        ),
    }


class ResultField(forms.CharField):
    """A result as text or JSON; none where it is left out."""

    widget = UnfoldAdminTextareaWidget

    def clean(self, value: object) -> object:
        text = super().clean(value if isinstance(value, str) else "")
        if not text:
            return None
        try:
            return fields.Json().run_validation(parse(text.encode()))
        except NotJson:
            return str(text)
        except Problem as problem:
            raise ValidationError(problem.message) from None
