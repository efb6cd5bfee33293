"""A user is a person who signs in."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7


class User(AbstractUser):
    """A person who signs in; permissions, usually those of a group, say what they may do."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)

    class Meta(AbstractUser.Meta):
        permissions = [
            ("view_console", _("May look at everything in the console")),
            ("operate", _("May steer tasks, chains, jobs, channels and agents")),
            ("administer", _("May retire agents, and edit users")),
        ]
