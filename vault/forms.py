"""The fields of forms in which a secret is set. No page has one in it, also not the form itself."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from api.names import spelled
from vault import audit, transitions
from vault.audit import By
from vault.exceptions import KeyRefused
from vault.models import MOST_SCOPES, SCOPE_LENGTH, Operation, SecureKey
from vault.transitions import LONGEST_VALUE, Draft, Times

NAMED = ("name", "env", "provider", "service", "resource", "region", "alias")
SAID = {
    "value": _("It must not be blank."),
    "expires_at": _("It must be at least 24 hours after the key may first be used."),
}
"""What the vault refuses, said beside the field."""


class SecretInput(UnfoldAdminTextareaWidget):
    """A text that is typed or pasted, and never shown again: a form that is wrong comes empty."""

    def __init__(self) -> None:
        super().__init__({"rows": 3, "autocomplete": "off", "spellcheck": "false"})

    def format_value(self, value: object) -> str | None:
        return None


def secret_field(*, required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=_("Value"),
        max_length=LONGEST_VALUE,
        strip=False,
        required=required,
        widget=SecretInput(),
        help_text=_("The secret itself. It is sealed, and shown to nobody."),
    )


class UtcField(forms.DateTimeField):
    """A time in UTC, whatever zone its reader is in: the dashboard sends it too."""

    def to_python(self, value: Any) -> Any:
        with timezone.override("UTC"):
            return super().to_python(value)


def moment_field() -> forms.DateTimeField:
    """A time in one line, in UTC, that may be left out."""
    return UtcField(
        label=_("Expires"),
        required=False,
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local"}),
        help_text=_("In UTC, a day from now or later; empty: never."),
    )


def split_moment_field(label: object, help_text: object = "") -> forms.SplitDateTimeField:
    return forms.SplitDateTimeField(
        label=label,  # type: ignore[arg-type]  # a lazy text
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text=help_text,  # type: ignore[arg-type]
    )


class NameField(forms.CharField):
    """A name, spelled as it is stored, and as long as it is then."""

    def to_python(self, value: object) -> str:
        return spelled(super().to_python(value) or "")


class KeyForm(forms.ModelForm):
    """A new key with its first secret."""

    value = secret_field()
    scopes = SimpleArrayField(
        NameField(max_length=SCOPE_LENGTH),
        max_length=MOST_SCOPES,
        label=capfirst(_("scopes")),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("The services that it is for, with commas between them; empty: any."),
    )
    not_before_at = split_moment_field(_("Not before"))
    expires_at = split_moment_field(_("Expires"), _("A day from now or later; empty: never."))
    rotate_after = split_moment_field(_("Rotate after"), _("From then on the doctor tells of it."))
    by: By
    """Who fills it in."""

    class Meta:
        model = SecureKey
        fields = [*NAMED, "scopes"]
        help_texts = {
            "name": _("Empty: it is named after what it is for, such as openai/chat."),
            "env": _("The coordinator itself reads the keys of its KEY_VAULT_MODE."),
            "provider": _("As a provider of language models is called, such as openai."),
            "service": _("Such as chat or embeddings; empty: any."),
            "resource": _("Such as the name of a model; empty: any."),
            "alias": _("Another name by which it can be read."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = False
        self.fields["provider"].required = True
        self.fields["env"].initial = settings.KEY_VAULT_MODE

    def clean(self) -> dict[str, Any]:
        """Say beforehand what the vault would refuse; the audit notes that, too."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in NAMED:
            if name in cleaned:
                cleaned[name] = spelled(cleaned[name])
        if "value" in cleaned and "provider" in cleaned:
            subject = self.draft.subject
            cleaned["name"] = subject.name  # of which there may be one already
            try:
                transitions.check(cleaned["value"], self.times)
            except KeyRefused as problem:
                audit.note(Operation.WRITE, problem, about=subject, by=self.by)
                said = SAID.get(problem.field, problem.message)
                self.add_error(problem.field, ValidationError(said))
        return cleaned

    @property
    def times(self) -> Times:
        named = ("not_before_at", "expires_at", "rotate_after")
        return Times(**{name: self.cleaned_data.get(name) for name in named})

    @property
    def draft(self) -> Draft:
        cleaned = self.cleaned_data
        return Draft(
            value=cleaned["value"],
            scopes=cleaned.get("scopes") or [],
            times=self.times,
            **{name: cleaned.get(name, "") for name in NAMED},
        )
