"""What follows from a change of a user, wherever it is made."""

from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts import transitions
from accounts.models import User


@receiver(post_save, sender=User)
def when_saved(sender: type[User], instance: User, created: bool, **kwargs: object) -> None:
    """With a new password the sign-ins by the old one end; Django sees to sessions.

    `_password` is the new one until Django has called its validators, which comes after.
    """
    if not created and getattr(instance, "_password", None) is not None:
        transitions.end_sign_ins(instance)
