"""Login, logout and password change, for the dashboard and the admin alike."""

from django.contrib import admin, messages
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from accounts import sign_in, transitions
from accounts.callers import of_user
from accounts.headers import UNFOLD_CSP, with_policy
from accounts.models import LONGEST_NAME, User
from accounts.rights import NOT_YET, may_enter
from accounts.signals import person_changed
from api import throttling
from problems import TooMany

Context = dict[str, object]
HIGHEST_PORT = 65_535


class SignInForm(AuthenticationForm):
    """Name and password. People who may not view the console see a message instead."""

    def __init__(self, request: HttpRequest | None = None, *args: object, **kwargs: object) -> None:
        super().__init__(request, *args, **kwargs)
        for name, widget, remembered in (
            ("username", UnfoldAdminTextInputWidget, "username"),
            ("password", UnfoldAdminPasswordWidget, "current-password"),
        ):
            self.fields[name].widget = widget({"autocomplete": remembered})
        self.fields["username"].widget.attrs["autofocus"] = True
        self.retry_after = 0

    def clean(self) -> Context:
        """Check the password, unless too many attempts have come from this address."""
        if self.request is not None:
            try:
                throttling.limits.take(sign_in.SCOPE, throttling.address_of(self.request))
            except TooMany as problem:
                raise self.too_many(problem.retry_after) from None
        return super().clean()

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if not may_enter(user):
            raise ValidationError(NOT_YET, code="no_group")

    def get_invalid_login_error(self) -> ValidationError:
        """The same for a wrong password and a name that nobody has."""
        if self.request is not None and sign_in.has_to_wait(self.request):
            return self.too_many(sign_in.pause())
        return super().get_invalid_login_error()

    def too_many(self, seconds: int) -> ValidationError:
        self.retry_after = seconds
        return ValidationError(sign_in.sentence(seconds), code="too_many_requests")


class OwnPasswordForm(PasswordChangeForm):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # as Django's does
        for name, remembered in (
            ("old_password", "current-password"),
            ("new_password1", "new-password"),
            ("new_password2", "new-password"),
        ):
            self.fields[name].widget = UnfoldAdminPasswordWidget({"autocomplete": remembered})

    def clean_old_password(self) -> str:
        """Check the old password, unless too many were tried: a session may be somebody else's."""
        try:
            throttling.limits.take(sign_in.SCOPE, f"password:{self.user.pk}")
        except TooMany as problem:
            raise ValidationError(sign_in.sentence(problem.retry_after)) from None
        return super().clean_old_password()


@method_decorator(with_policy(UNFOLD_CSP), name="dispatch")
class SignIn(views.LoginView):
    """Start a session and redirect to `next`, if that is a path of this site.

    Other pages send people here who are signed in and have lost the permission to view.
    """

    template_name = "accounts/login.html"
    authentication_form = SignInForm
    extra_context = {"title": _("Sign in")}

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.is_authenticated and not may_enter(request.user):
            messages.error(request, NOT_YET)
        return super().get(request, *args, **kwargs)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        if isinstance(form, SignInForm) and form.retry_after:
            response.status_code = 429
            response.headers["Retry-After"] = str(form.retry_after)
        return response

    def get_context_data(self, **kwargs: object) -> Context:
        return admin.site.each_context(self.request) | super().get_context_data(**kwargs)


class AgentSignIn(SignIn):
    """`/agent-auth.html`: a person signs in for an agent, which waits on a port of their machine.

    The browser takes a code there, by which the agent gets its token; no session begins. The page
    leads there by itself and by a link, since a form may not send a browser to another site.
    """

    template_name = "accounts/agent_auth.html"
    done_template_name = "accounts/agent_auth_done.html"
    extra_context = {"title": _("Sign in for an agent")}

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        status = 200 if self._port() else 400
        return self.render_to_response(self.get_context_data(), status=status)

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        person = self._person()
        if not self._port():
            return self.get(request)
        if person and "confirmed" in request.POST:
            return self._send_back(person)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        return self._send_back(form.get_user())

    def get_context_data(self, **kwargs: object) -> Context:
        refused = "" if self._port() else _("callback_port must be the port of the agent.")
        person = self._person()
        shown = {"agent_name": self._agent_name(), "person": person, "refused": refused}
        return super().get_context_data(**kwargs) | shown

    def _send_back(self, person: User) -> HttpResponse:
        code = transitions.make_code(person, self._agent_name())
        callback = f"http://localhost:{self._port()}/callback?code={code}"
        context = admin.site.each_context(self.request) | self.extra_context
        return TemplateResponse(
            self.request, self.done_template_name, {**context, "callback": callback}
        )

    def _person(self) -> User | None:
        user = self.request.user
        return user if isinstance(user, User) and may_enter(user) else None

    def _port(self) -> int:
        """The port that waits for the code; 0 if none is named."""
        text = self.request.GET.get("callback_port", "")
        port = int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else 0
        return port if port <= HIGHEST_PORT else 0

    def _agent_name(self) -> str:
        name = self.request.GET.get("agent_name", "").replace("\0", "")
        return name.strip()[:LONGEST_NAME]


@method_decorator(with_policy(UNFOLD_CSP), name="dispatch")
class ChangePassword(views.PasswordChangeView):
    """Set a new password after checking the old one."""

    template_name = "accounts/password.html"
    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")
    extra_context = {"title": _("Change password")}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        with transaction.atomic():
            response = super().form_valid(form)
            caller = of_user(form.user)
            person_changed.send(
                User, row=form.user, caller=caller, verb="password", before={}, after={}
            )
        return response

    def get_context_data(self, **kwargs: object) -> Context:
        return admin.site.each_context(self.request) | super().get_context_data(**kwargs)
