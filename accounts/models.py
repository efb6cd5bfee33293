"""A user is a person who signs in."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from uuid_utils.compat import uuid7


class User(AbstractUser):
    """A person who signs in; staff steer the coordinator."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
