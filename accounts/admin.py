"""People and their groups in the admin, for those who may administer."""

from collections.abc import Sequence

from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import SET_NULL, ManyToManyField, Model, QuerySet
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm
from unfold.forms import UserCreationForm as UnfoldUserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.lists import OfferedLookups
from accounts.models import ApiToken, User
from accounts.rights import ADMINISTER, VIEW
from accounts.token_admin import TokensInline

admin.site.unregister(Group)


class AdministeredAdmin(OfferedLookups):
    """Seen by those who may view the console, changed by those who may administer.

    Only a superuser may change who is a superuser: otherwise an administrator could become one.
    """

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(VIEW)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(VIEW)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADMINISTER)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(ADMINISTER) and self._is_within_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(ADMINISTER) and self._is_within_reach(request, obj)

    def _is_within_reach(self, request: HttpRequest, obj: Model | None) -> bool:
        if isinstance(obj, User) and obj.is_superuser:
            return isinstance(request.user, User) and request.user.is_superuser
        return True


class PersonCreationForm(UnfoldUserCreationForm):
    """A new person, with a password: there is no other way to sign in."""

    usable_password = None


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
class PersonAdmin(AdministeredAdmin, UserAdmin):
    actions = None
    inlines = [TokensInline]
    form = UserChangeForm
    add_form = PersonCreationForm
    change_password_form = AdminPasswordChangeForm
    # A superclass that comes first has no fields here. "Staff status" is left out below: who may
    # enter is a question of permissions.
    add_fieldsets = [(None, {"fields": ["username", "password1", "password2", "groups"]})]
    fieldsets = [
        (title, {"fields": [name for name in part["fields"] if name != "is_staff"]})
        for title, part in UserAdmin.fieldsets or ()
    ]
    list_display = ["username", "email", "is_active", "is_superuser", "last_login"]
    list_filter = ["is_active", "is_superuser", "groups"]

    def formfield_for_manytomany(
        self, db_field: ManyToManyField, request: HttpRequest, **kwargs: object
    ) -> ModelMultipleChoiceField | None:
        """Groups are few, so that each has a box to tick."""
        if db_field.name == "groups":
            kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget()
        field: ModelMultipleChoiceField | None = super().formfield_for_manytomany(
            db_field, request, **kwargs
        )
        return field

    def get_inlines(self, request: HttpRequest, obj: Model | None) -> list[type[InlineModelAdmin]]:
        """The tokens are only seen there, so a form that is sent has nothing of them."""
        seen = obj is not None and request.method == "GET"
        return list(super().get_inlines(request, obj)) if seen else []

    def get_deleted_objects(
        self, objs: Sequence[Model] | QuerySet[Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Tokens go with their user, though nobody deletes one alone; who has work stays."""
        shown, counts, missing, protected = super().get_deleted_objects(objs, request)
        working = [user for user in objs if isinstance(user, User) and has_work(user)]
        protected += [str(HAS_WORK) % {"user": user} for user in working]
        return shown, counts, missing - {str(ApiToken._meta.verbose_name)}, protected

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        if isinstance(request.user, User) and request.user.is_superuser:
            return []
        return ["is_superuser", "user_permissions"]


@admin.register(Group)
class PeopleGroupAdmin(AdministeredAdmin, GroupAdmin):
    actions = None
