"""The forms of receivers and rules. A URL and a secret are set there, and never read back."""

import binascii
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from dashboard.attention import Kind, Severity
from notifications import transitions, webhooks
from notifications.models import LONGEST_PLACE, Receiver, ReceiverKind, Rule
from routing.addresses import Unusable

LONGEST_URL = 2_000
SEVERITIES = [
    (Severity.ALARM, _("Urgent")),
    (Severity.WARNING, _("Warning")),
    (Severity.NOTE, _("Note")),
]
SHORTEST_SECRET = 16


class WriteOnlyInput(UnfoldAdminTextInputWidget):
    """A text that is typed or pasted, and never shown again: a form that is wrong comes empty."""

    def __init__(self) -> None:
        super().__init__({"autocomplete": "off", "spellcheck": "false"})

    def format_value(self, value: object) -> str | None:
        return None


class ReceiverForm(forms.ModelForm):
    """A receiver; what is left empty of a known one stays as it is."""

    url = forms.CharField(
        label=_("URL"),
        required=False,
        max_length=LONGEST_URL,
        widget=WriteOnlyInput,
        help_text=_("Of a webhook. It is sealed, and shown to nobody."),
    )
    secret = forms.CharField(
        label=_("Secret"),
        required=False,
        min_length=SHORTEST_SECRET,
        max_length=200,
        widget=WriteOnlyInput,
        help_text=_(
            "Of a webhook: what signs its messages, such as whsec_ and the base64 of 24 bytes or"
            " more. It is sealed, and shown to nobody."
        ),
    )
    address = forms.EmailField(
        label=_("Address"),
        required=False,
        max_length=LONGEST_PLACE,
        widget=UnfoldAdminEmailInputWidget,
        help_text=_("Of mail."),
    )

    class Meta:
        model = Receiver
        fields = ["name", "kind", "language", "enabled"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("kind") == ReceiverKind.MAIL:
            self._check_mail(cleaned)
        else:
            self._check_webhook(cleaned)
        return cleaned

    def _is_known_as(self, kind: str) -> bool:
        return bool(self.instance.pk) and self.initial.get("kind") == kind

    def _check_mail(self, cleaned: dict[str, Any]) -> None:
        if cleaned.get("address"):
            transitions.seal_address(self.instance, cleaned["address"])
        elif not self._is_known_as(ReceiverKind.MAIL) and "address" not in self.errors:
            self.add_error("address", _("Mail needs an address."))

    def _check_webhook(self, cleaned: dict[str, Any]) -> None:
        url, secret = cleaned.get("url", ""), cleaned.get("secret", "")
        if self.errors.keys() & {"url", "secret"}:
            return
        if not url and not secret and self._is_known_as(ReceiverKind.WEBHOOK):
            return
        if not url or not secret:
            missing = "secret" if url else "url"
            self.add_error(missing, _("A webhook needs both a URL and a secret."))
            return
        try:
            webhooks.key_of(secret)
            transitions.seal_webhook(self.instance, url=url, secret=secret)
        except (binascii.Error, ValueError) as problem:
            where = "url" if isinstance(problem, Unusable) else "secret"
            said = str(problem) if where == "url" else _("What follows whsec_ must be base64.")
            self.add_error(where, ValidationError(said))


class RuleForm(forms.ModelForm):
    kinds = forms.MultipleChoiceField(
        label=_("Kinds"),
        required=False,
        choices=Kind.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("None chosen: all of them."),
    )
    severity = forms.ChoiceField(
        label=_("From severity"),
        choices=SEVERITIES,
        initial=Severity.WARNING,
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Rule
        fields = [
            "name",
            "receiver",
            "kinds",
            "severity",
            "after_seconds",
            "repeat_seconds",
            "tells_end",
            "enabled",
        ]
