"""The forms of users and groups: nobody gives rights there that they do not have."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.forms import CharField, HiddenInput, ModelForm, ModelMultipleChoiceField
from django.utils.translation import gettext
from unfold.forms import UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.models import User
from accounts.rights import EVERYTHING

WORDS = dict(User._meta.permissions)
"""What each right lets people do."""


def words_of(rights: Iterable[str]) -> list[str]:
    """The rights in words, in the order in which the model has them."""
    codenames = {right.partition(".")[2] for right in rights}
    return [str(words) for codename, words in WORDS.items() if codename in codenames]


def meant_permissions() -> QuerySet[Permission]:
    """The permissions that the coordinator asks for; Django makes many more, for each table."""
    return Permission.objects.filter(
        content_type__app_label="accounts", codename__in=list(WORDS)
    ).order_by("pk")


def rights_in(permissions: QuerySet[Permission]) -> frozenset[str]:
    """Those of them that mean something here."""
    codenames = permissions.filter(content_type__app_label="accounts").values_list("codename")
    return EVERYTHING & {f"accounts.{codename}" for (codename,) in codenames}


def standing(row: Model) -> dict[str, object]:
    """What the audit keeps of a user or a group: who it is, and what it may do."""
    kept: dict[str, object] = {}
    if isinstance(row, Group):
        kept |= {"name": row.name, "permissions": _codenames(row.permissions.all())}
    elif isinstance(row, User):
        kept |= {name: getattr(row, name) for name in ("username", "is_active", "is_superuser")}
        kept["groups"] = sorted(row.groups.values_list("name", flat=True))
        kept["permissions"] = _codenames(row.user_permissions.all())
    return kept


def _codenames(permissions: QuerySet[Permission]) -> list[str]:
    return sorted(permissions.values_list("codename", flat=True))


class PermissionsField(ModelMultipleChoiceField):
    """A box to tick for each permission, with what it lets people do."""

    widget = UnfoldAdminCheckboxSelectMultipleWidget

    def label_from_instance(self, obj: Permission) -> str:
        return str(WORDS[obj.codename])


class GroupsField(ModelMultipleChoiceField):
    """A box to tick for each group, with what it lets people do."""

    def label_from_instance(self, obj: Group) -> str:
        rights = words_of(f"accounts.{one.codename}" for one in obj.permissions.all())
        return f"{obj.name}: {'; '.join(rights)}" if rights else obj.name


class WithinRights(ModelForm):
    """Refuses what would give somebody more than the person at the browser has, or take it away.

    They could give it to themselves, or sign in as the one who has it then.
    """

    rights: frozenset[str] = frozenset()
    """Of the person at the browser."""

    def clean_groups(self) -> QuerySet[Group]:
        chosen: QuerySet[Group] = self.cleaned_data["groups"]
        added = chosen.exclude(pk__in=self._had("groups"))
        self._refuse_beyond(rights_in(Permission.objects.filter(group__in=added)))
        return chosen

    def clean_user_permissions(self) -> QuerySet[Permission]:
        return self._only_own("user_permissions")

    def clean_permissions(self) -> QuerySet[Permission]:
        return self._only_own("permissions")

    def _only_own(self, field: str) -> QuerySet[Permission]:
        """Neither given nor taken: who has lost a right is in reach of those who lack it."""
        chosen: QuerySet[Permission] = self.cleaned_data[field]
        had = Permission.objects.filter(pk__in=self._had(field))
        given, taken = chosen.exclude(pk__in=had), had.exclude(pk__in=chosen)
        self._refuse_beyond(rights_in(given) | rights_in(taken))
        return chosen

    def _had(self, field: str) -> list[str | int]:
        """What the row has already, which may stay."""
        if self.instance._state.adding:
            return []
        return list(getattr(self.instance, field).values_list("pk", flat=True))

    def _refuse_beyond(self, given: frozenset[str]) -> None:
        if beyond := words_of(given - self.rights):
            message = gettext("You may not give or take what you may not do yourself: %(rights)s")
            raise ValidationError(message % {"rights": "; ".join(beyond)})


class PersonCreationForm(WithinRights, UserCreationForm):
    """A new person, with a password: there is no other way to sign in."""

    usable_password = None


class AsSeen(ModelForm):
    """A form that remembers what the page showed, and gives nothing back that was taken since."""

    seen = CharField(label="", widget=HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            del self.fields["seen"]
        else:
            self.initial["seen"] = self._now()

    def _now(self) -> str:
        row = type(self.instance)._default_manager.get(pk=self.instance.pk)
        return hashlib.sha256(json.dumps(standing(row)).encode()).hexdigest()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("seen") and cleaned["seen"] != self._now():
            raise ValidationError(
                gettext("Somebody has changed this since you opened the page. Open it again.")
            )
        return cleaned


class PersonForm(AsSeen, WithinRights, UserChangeForm):
    """What a person is called, and what they may do."""


class GroupForm(AsSeen, WithinRights):
    """What the people of a group may do."""

    def clean_name(self) -> str:
        """Whoever registers comes into the group of a certain name."""
        name: str = self.cleaned_data["name"]
        if name.lower() == settings.REGISTRATION != "no" and not self.instance._state.adding:
            self._refuse_beyond(rights_in(self.instance.permissions.all()))
        return name
