"""Tokens in the admin: made, seen once, listed, revoked; no page shows one again."""

from collections.abc import Collection
from secrets import token_hex
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.forms import BaseForm, CharField, Form, HiddenInput, ModelForm, MultipleChoiceField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from accounts import callers, cells, credentials, transitions
from accounts.callers import Caller
from accounts.credentials import PREFIX
from accounts.lists import OfferedLookups
from accounts.models import ApiToken, TokenState, User
from accounts.rights import ADMINISTER, may_enter
from accounts.roles import OF_PEOPLE, Role
from accounts.scopes import Scope

MADE = "tokens_made"
"""In a session: for which forms a token has been made."""
REMEMBERED = 20
LONGEST_REASON = 1_000
OF_ALL = ["user", "agent", "agent_is_prefix", "channels"]
"""Asked of administrators alone: others make tokens for themselves."""


class RevokeForm(Form):
    reason = CharField(
        label=_("Reason"), max_length=LONGEST_REASON, widget=UnfoldAdminTextareaWidget({"rows": 2})
    )


class TokenForm(ModelForm):
    """A token of a user, or of an agent. Without either it is of the person who makes it.

    `once` stands for this form, which is sent again when the page that shows a token is reloaded.
    """

    once = CharField(widget=HiddenInput, required=False, max_length=64)
    scopes = MultipleChoiceField(
        label=_("Limited to functions"),
        help_text=_("Nothing else may be done with it. Without any it is not limited."),
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        required=False,
    )
    person: User
    made: Collection[str] = ()

    class Meta:
        model = ApiToken
        fields = ["name", "role", "scopes", "expires_at", *OF_ALL]
        help_texts = {
            "expires_at": _("Without a time it holds until it is revoked."),
            "agent": _("With the role of an agent: its id, or how the ids of several begin."),
            "channels": _("Of an agent, with commas between them. Without any: all channels."),
        }

    def clean_once(self) -> str:
        once: str = self.cleaned_data["once"]
        if once in self.made:
            raise ValidationError(_("This token has been made already, and is not shown again."))
        return once

    def clean_expires_at(self) -> object:
        moment = self.cleaned_data["expires_at"]
        if moment is not None and moment <= timezone.now():
            raise ValidationError(_("This time is over."))
        return moment

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "user" not in self.fields:
            return cleaned
        of_agent = cleaned.get("role") == Role.AGENT
        if of_agent and not cleaned.get("agent"):
            raise ValidationError({"agent": _("Name the agent.")})
        if not (of_agent or cleaned.get("agent") or cleaned.get("user")):
            cleaned["user"] = self.person
        if of_agent != bool(cleaned.get("agent")) or of_agent == bool(cleaned.get("user")):
            raise ValidationError(
                _("Choose a user, or the role of an agent and name the agent, not both.")
            )
        if not of_agent and (cleaned.get("channels") or cleaned.get("agent_is_prefix")):
            raise ValidationError(_("Only the token of an agent names agents and channels."))
        user, role = cleaned.get("user"), cleaned.get("role")
        by = callers.of_user(self.person)
        if role and not transitions.is_within(by, None if of_agent else user, role):
            raise ValidationError(
                {"role": _("This token would let its holder do more than you may yourself.")}
            )
        if of_agent and cleaned.get("scopes"):
            raise ValidationError({"scopes": _("Functions are not for agents.")})
        return cleaned


@admin.register(ApiToken)
class TokenAdmin(OfferedLookups):
    form = TokenForm
    change_form_before_template = "accounts/first_token.html"
    actions = ["revoke"]
    audited = True
    list_display = [
        "name",
        "state",
        "role",
        "limited",
        "user",
        "agent",
        "shown",
        "created_at",
        "expires_at",
        "last_used_at",
    ]
    list_filter = ["role", "is_login"]
    list_select_related = ["user"]
    search_fields = ["name", "ending"]
    search_help_text = _("A part of its name, or its last four characters.")
    sortable = ("created_at",)
    readonly_fields = [
        "limited",
        "shown",
        "state",
        "is_login",
        "created_at",
        "revoked_at",
        "last_used_at",
    ]

    @admin.display(description=_("token"))
    def shown(self, token: ApiToken) -> str:
        return f"{PREFIX}…{token.ending}"

    @admin.display(description=_("limited to functions"))
    def limited(self, token: ApiToken) -> str:
        return ", ".join(token.scopes) or cells.NONE

    @admin.display(description=_("state"))
    def state(self, token: ApiToken) -> str:
        return cells.status(token.state, TokenState(token.state).label)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        rows: QuerySet[ApiToken] = super().get_queryset(request)
        own = not request.user.has_perm(ADMINISTER)
        return rows.filter(user=request.user.pk) if own else rows

    def get_fields(self, request: HttpRequest, obj: object = None) -> list[str]:
        if obj is not None:
            return ["name", "role", *OF_ALL, *self.readonly_fields, "expires_at"]
        asked = ["name", "role", "scopes", "expires_at", "once"]
        return [*asked, *OF_ALL] if request.user.has_perm(ADMINISTER) else asked

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        match db_field.name:
            case "user":
                field.required = False
            case "role" if not request.user.has_perm(ADMINISTER):
                field.choices = [(one, label) for one, label in Role.choices if one in OF_PEOPLE]
        return field

    def get_form(
        self, request: HttpRequest, obj: object = None, change: bool = False, **kwargs: Any
    ) -> type[BaseForm]:
        kwargs.setdefault("fields", self.get_fields(request) if obj is None else [])
        form: type[BaseForm] = super().get_form(request, obj, change, **kwargs)
        made = request.session.get(MADE, [])
        return type(form.__name__, (form,), {"person": _person(request), "made": made})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"is_first": not credentials.issued(), **(extra_context or {})}
        response: HttpResponse = super().add_view(request, form_url, context)
        return response

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        of_user = Role.USER if "user" in initial else ""
        return {"role": of_user, **initial, "once": token_hex(16)}

    def save_model(
        self, request: HttpRequest, obj: ApiToken, form: ModelForm, change: bool
    ) -> None:
        """Make the token; the page that answers shows it, once."""
        by = _caller(request)
        issued = transitions.issue(
            obj.name,
            user=obj.user or (None if by.may(ADMINISTER) else _person(request)),
            role=obj.role,
            agent=obj.agent,
            agent_is_prefix=obj.agent_is_prefix,
            channels=obj.channels,
            scopes=obj.scopes,
            expires_at=obj.expires_at,
            by=by,
            reason="made in the admin",
        )
        vars(obj).update(vars(issued.token))
        vars(obj)["secret"] = issued.secret
        made = [*request.session.get(MADE, []), form.cleaned_data["once"]]
        request.session[MADE] = [one for one in made if one][-REMEMBERED:]

    def response_add(
        self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        context = self.admin_site.each_context(request)
        context |= {"opts": self.opts, "title": obj.name, "secret": vars(obj)["secret"]}
        response = TemplateResponse(request, "accounts/token.html", context)
        add_never_cache_headers(response)
        return response

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.revoke_view)
        name = "accounts_apitoken_revoke"
        return [path("<uuid:token_id>/revoke/", view, name=name), *super().get_urls()]

    def revoke_view(self, request: HttpRequest, token_id: UUID) -> HttpResponse:
        """Ask whether to revoke one token, and why; with a reason, revoke it."""
        token = self.get_queryset(request).select_related("user").filter(pk=token_id).first()
        if token is None:
            raise Http404
        by = _caller(request)
        of_user = token.user_id is not None and by.may(ADMINISTER)
        back = (
            reverse("admin:accounts_user_change", args=[token.user_id])
            if of_user
            else reverse("admin:accounts_apitoken_changelist")
        )
        form = RevokeForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            transitions.revoke(token.pk, by=by, reason=form.cleaned_data["reason"])
            message = ngettext("%(count)d token revoked.", "%(count)d tokens revoked.", 1)
            self.message_user(request, message % {"count": 1}, messages.SUCCESS)
            return HttpResponseRedirect(back)
        context = self.admin_site.each_context(request)
        context |= {"opts": self.opts, "title": _("Revoke"), "token": token}
        context |= {"form": form, "back": back}
        return TemplateResponse(request, "accounts/revoke.html", context)

    @admin.action(description=_("Revoke the selected tokens"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        by = _caller(request)
        revoked = [
            transitions.revoke(pk, by=by, reason="revoked in the admin")
            for pk in queryset.filter(revoked_at__isnull=True).values_list("pk", flat=True)
        ]
        if not revoked:
            self.message_user(request, gettext("There was nothing to do."), messages.INFO)
            return
        message = ngettext("%(count)d token revoked.", "%(count)d tokens revoked.", len(revoked))
        self.message_user(request, message % {"count": len(revoked)}, messages.SUCCESS)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_enter(request.user)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return may_enter(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_enter(request.user)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return may_enter(request.user)

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


def _person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _caller(request: HttpRequest) -> Caller:
    return callers.of_user(_person(request))
