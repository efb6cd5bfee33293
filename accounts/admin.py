"""People and their groups in the admin, for those who may administer."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import SET_NULL, ManyToManyField, Model, QuerySet
from django.forms import ModelForm, ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts import token_admin  # noqa: F401  (registers the pages of tokens)
from accounts.callers import of_user, rights_of
from accounts.forms import (
    GroupForm,
    GroupsField,
    PermissionsField,
    PersonCreationForm,
    PersonForm,
    meant_permissions,
    rights_in,
    standing,
    words_of,
)
from accounts.lists import OfferedLookups
from accounts.models import ApiToken, User
from accounts.rights import ADMINISTER, VIEW
from accounts.signals import person_changed

admin.site.unregister(Group)

SHOWN_TOKENS = 50
"""Tokens on a user's page, the newest."""


class AdministeredAdmin(OfferedLookups):
    """Seen by those who may view the console, changed by those who may administer.

    Who may do more is changed only by who may do as much: otherwise an administrator could become
    one of them, by a new password.
    """

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(VIEW)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(VIEW)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADMINISTER)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(ADMINISTER) and _is_within_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(ADMINISTER) and _is_within_reach(request, obj)


def _is_within_reach(request: HttpRequest, obj: Model | None) -> bool:
    by = request.user
    if not isinstance(obj, User) or not isinstance(by, User) or by.is_superuser:
        return isinstance(by, User)
    return not obj.is_superuser and rights_given(obj) <= rights_of(by)


def rights_given(user: User) -> frozenset[str]:
    """What a user may do, or may again once they are active."""
    return rights_of(user) if user.is_active else rights_of(_as_active(user))


def _as_active(user: User) -> User:
    """The same user for questions about permissions, which an inactive one has none of."""
    return User(pk=user.pk, is_superuser=user.is_superuser, is_active=True)


class GivesRights(AdministeredAdmin):
    """Forms in which people get rights: each has a box to tick, and none is beyond one's own.

    What they change is in the operators' audit.
    """

    audited = True

    def save_model(self, request: HttpRequest, obj: Model, form: ModelForm, change: bool) -> None:
        if change:
            rows = self.model._default_manager.select_for_update(no_key=True)
            vars(obj)["was"] = standing(rows.get(pk=obj.pk))
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        _tell(request, "add", obj, {}, standing(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Also called for a new password, which changes nothing that is kept."""
        now = standing(obj)
        was = vars(obj).pop("was", None)
        _tell(request, "password" if was is None else "change", obj, was or now, now)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for row in queryset:
            _tell(request, "delete", row, standing(row), {})
        return super().log_deletions(request, queryset)

    def get_form(
        self, request: HttpRequest, obj: Any = None, *args: Any, **kwargs: Any
    ) -> type[ModelForm]:
        form: type[ModelForm] = super().get_form(request, obj, *args, **kwargs)
        rights = rights_of(request.user) if isinstance(request.user, User) else frozenset()
        return type(form.__name__, (form,), {"rights": rights})

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """The page of a row says what it shows, so that a later save does not undo others'."""
        (title, first), *others = super().get_fieldsets(request, obj)
        if obj is None or not self.has_change_permission(request, obj):
            return [(title, first), *others]
        return [(title, {**first, "fields": [*first["fields"], "seen"]}), *others]

    def formfield_for_manytomany(
        self, db_field: ManyToManyField, request: HttpRequest | None = None, **kwargs: Any
    ) -> ModelMultipleChoiceField | None:
        kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget()
        if db_field.name in ("permissions", "user_permissions"):
            kwargs |= {"form_class": PermissionsField, "queryset": meant_permissions()}
            kwargs |= {"label": _("May do"), "help_text": ""}
        elif db_field.name == "groups":
            groups = Group.objects.prefetch_related("permissions").order_by("name")
            kwargs |= {"form_class": GroupsField, "queryset": groups, "help_text": ""}
        field: ModelMultipleChoiceField | None = super().formfield_for_manytomany(
            db_field, request, **kwargs
        )
        return field


def _tell(
    request: HttpRequest,
    verb: str,
    row: Model,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> None:
    if not isinstance(request.user, User):
        raise PermissionDenied
    caller = of_user(request.user)
    person_changed.send(type(row), row=row, caller=caller, verb=verb, before=before, after=after)


HAS_WORK = _(
    "%(user)s has tasks, chains, jobs, channels or agents, which would be everybody's then."
    " Make the user inactive instead."
)


def has_work(user: User) -> bool:
    """Whether rows of other rooms are the user's: without it they would be nobody's."""
    return any(
        relation.related_model._base_manager.filter(user=user).exists()
        for relation in User._meta.related_objects
        if relation.field.name == "user" and relation.on_delete is SET_NULL
    )


@admin.register(User)
class PersonAdmin(GivesRights, UserAdmin):
    actions = None
    form = PersonForm
    add_form = PersonCreationForm
    change_password_form = AdminPasswordChangeForm
    change_form_outer_after_template = "accounts/tokens_of_user.html"
    filter_horizontal = ()
    # A superclass that comes first has no fields here. There is no "staff status": who may enter
    # is a question of permissions.
    add_fieldsets = [(None, {"fields": ["username", "password1", "password2", "groups"]})]
    fieldsets = [
        (None, {"fields": ["username", "password", "is_active"]}),
        (_("What they may do"), {"fields": ["groups", "user_permissions", "is_superuser", "may"]}),
        (_("Personal info"), {"fields": ["first_name", "last_name", "email"]}),
        (_("Times"), {"fields": ["last_login", "date_joined"]}),
    ]
    list_display = ["username", "full_name", "of_groups", "is_active", "is_superuser", "last_login"]
    list_filter = ["is_active", "is_superuser", "groups"]
    search_fields = ["username", "first_name", "last_name", "email"]
    search_help_text = _("A part of a name or of an address.")
    sortable = ("username",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = super().get_queryset(request)
        return rows.prefetch_related("groups")

    @admin.display(description=_("name"))
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description=_("groups"))
    def of_groups(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all())

    @admin.display(description=_("Altogether"))
    def may(self, user: User) -> str:
        """What the person may do by groups, by themselves, or as a superuser."""
        rights = words_of(rights_given(user))
        return format_html_join("", "<p>{}</p>", ((right,) for right in rights))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Mapping[str, object] | None = None,
    ) -> HttpResponse:
        """The page, with the user's tokens for administrators."""
        context = dict(extra_context or {})
        user = self.get_object(request, object_id)
        if isinstance(user, User) and request.user.has_perm(ADMINISTER):
            tokens = ApiToken.objects.filter(user=user, is_login=False).order_by("-pk")
            for token in (shown := list(tokens[:SHOWN_TOKENS])):
                token.user = user
            context |= {"tokens": shown, "tokens_of": user}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def get_deleted_objects(
        self, objs: Sequence[Model] | QuerySet[Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Tokens go with their user, though nobody deletes one alone; who has work stays."""
        shown, counts, missing, protected = super().get_deleted_objects(objs, request)
        working = [user for user in objs if isinstance(user, User) and has_work(user)]
        protected += [str(HAS_WORK) % {"user": user} for user in working]
        return shown, counts, missing - {str(ApiToken._meta.verbose_name)}, protected

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002
        form_url: str = "",
    ) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().user_change_password(request, id, form_url)
        return response

    def save_related(
        self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        if not rights_given(User.objects.get(pk=form.instance.pk)):
            message = gettext("%(user)s may not sign in yet: choose a group.")
            self.message_user(request, message % {"user": form.instance}, messages.WARNING)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        shown = ["may", "last_login", "date_joined"]
        superuser = isinstance(request.user, User) and request.user.is_superuser
        return shown if superuser else [*shown, "is_superuser"]


@admin.register(Group)
class PeopleGroupAdmin(GivesRights, GroupAdmin):
    actions = None
    form = GroupForm
    filter_horizontal = ()
    fields = ["name", "permissions"]
    list_display = ["name", "may"]
    sortable = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        rows: QuerySet[Group] = super().get_queryset(request)
        return rows.prefetch_related("permissions__content_type")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Without it those in it may less, and so are in reach of more people."""
        allowed: bool = super().has_delete_permission(request, obj)
        if not allowed or not isinstance(obj, Group) or not isinstance(request.user, User):
            return allowed
        return rights_in(obj.permissions.all()) <= rights_of(request.user)

    @admin.display(description=_("May do"))
    def may(self, group: Group) -> str:
        rights = (f"accounts.{one.codename}" for one in group.permissions.all())
        return "; ".join(words_of(rights))
