"""What the token of a user may be limited to: the functions of some scopes.

Everything else of the product is refused to it. A function is a view under /functions/v1; it says
its scope as `function_scope`, and a view without one is none.
"""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Scope(TextChoices):
    READ = "read", _("Read")
    SIGN = "sign", _("Sign files")
    OPS = "ops", _("Steer")
    KEYS = "keys", _("Use keys")
