"""A user is a person who signs in; a token is what a program sends instead."""

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now, Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from accounts.querysets import ApiTokenQuerySet, SignInCodeQuerySet
from accounts.roles import Role
from accounts.scopes import Scope

DIGEST_BYTES = 32
LONGEST_NAME = 200
LONGEST_SCOPE = 8


class User(AbstractUser):
    """A person who signs in; permissions, usually those of a group, say what they may do."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)

    class Meta(AbstractUser.Meta):
        permissions = [
            ("use_api", _("May use the API for their own work, and for what is nobody's")),
            ("view_console", _("May look at everything in the console")),
            ("operate", _("May steer tasks, chains, jobs, channels and agents")),
            ("administer", _("May retire agents, and edit users")),
        ]
        indexes = [models.Index(Upper("username"), name="user_by_name_of_any_case")]


class TokenState(models.TextChoices):
    """Whether a token lets somebody in; no column has it, for a token expires by itself."""

    VALID = "valid", _("Valid")
    EXPIRED = "expired", _("Expired")
    REVOKED = "revoked", _("Revoked")
    ASLEEP = "asleep", _("Its user is not active")


class ApiToken(models.Model):
    """A credential of a program: of a user, or of an agent. Only its digest is stored.

    An agent's token belongs to nobody. It names one agent, or all whose ids begin with `agent`, and
    may name channels. A user's may be limited to functions of some scopes; without any it is not.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=LONGEST_NAME)
    role = models.CharField(_("role"), max_length=16, choices=Role)
    user = models.ForeignKey(
        User,
        models.CASCADE,
        null=True,
        blank=True,
        db_index=False,  # `api_token_of_user` is one
        related_name="tokens",
        verbose_name=_("user"),
    )
    agent = models.CharField(_("agent"), max_length=LONGEST_NAME, default="", blank=True)
    agent_is_prefix = models.BooleanField(_("all agents whose ids begin so"), default=False)
    channels = ArrayField(
        models.CharField(max_length=LONGEST_NAME),
        verbose_name=_("channels"),
        default=list,
        blank=True,
    )
    scopes = ArrayField(
        models.CharField(max_length=LONGEST_SCOPE, choices=Scope),
        verbose_name=_("limited to functions"),
        default=list,
        db_default=[],
        blank=True,
    )
    digest = models.BinaryField(max_length=DIGEST_BYTES)
    ending = models.CharField(_("ending"), max_length=4)
    is_login = models.BooleanField(_("of a sign-in"), default=False)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(_("made"), db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True)
    last_used_at = models.DateTimeField(_("last used"), null=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("token")
        verbose_name_plural = _("tokens")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "id"], name="api_token_of_user"),
            models.Index(
                fields=["expires_at"],
                name="api_token_not_revoked",
                condition=Q(revoked_at__isnull=True, is_login=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="api_token_is_one_of_its_digest"),
            models.CheckConstraint(
                condition=(Q(role=Role.AGENT, user__isnull=True, is_login=False) & ~Q(agent=""))
                | (~Q(role=Role.AGENT) & Q(user__isnull=False, agent="", agent_is_prefix=False)),
                name="api_token_is_of_a_user_or_names_an_agent",
            ),
            models.CheckConstraint(
                condition=Q(role=Role.AGENT) | Q(channels=[]),
                name="api_token_of_a_user_names_no_channels",
            ),
            models.CheckConstraint(
                condition=(~Q(role=Role.AGENT) | Q(scopes=[]))
                & Q(scopes__contained_by=list(Scope.values)),
                name="api_token_scopes_are_known_and_of_users",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="api_token_has_a_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} (…{self.ending})"

    @property
    def is_live(self) -> bool:
        """Whether it lets somebody in, by the clock of this process."""
        return self.state == TokenState.VALID

    @property
    def state(self) -> TokenState:
        """Whether it lets somebody in, or why not."""
        if self.revoked_at is not None:
            return TokenState.REVOKED
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return TokenState.EXPIRED
        if self.user is not None and not self.user.is_active:
            return TokenState.ASLEEP
        return TokenState.VALID


class SignInCode(models.Model):
    """A code by which an agent gets a token, once, soon after a person has signed in for it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    digest = models.BinaryField(max_length=DIGEST_BYTES)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    agent_name = models.CharField(max_length=LONGEST_NAME, default="", blank=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = SignInCodeQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="sign_in_code_by_end")]
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="sign_in_code_is_one_of_its_digest"),
        ]

    def __str__(self) -> str:
        return f"a code for {self.agent_name or 'an agent'}"
