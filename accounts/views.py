"""Login, logout and password change, for the dashboard and the admin alike."""

from django.contrib import admin, messages
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from accounts.models import User
from accounts.permissions import NOT_YET, VIEW

Context = dict[str, object]


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

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if not user.has_perm(VIEW):
            raise ValidationError(NOT_YET, code="no_group")


class OwnPasswordForm(PasswordChangeForm):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # as Django's does
        for name, remembered in (
            ("old_password", "current-password"),
            ("new_password1", "new-password"),
            ("new_password2", "new-password"),
        ):
            self.fields[name].widget = UnfoldAdminPasswordWidget({"autocomplete": remembered})


class SignIn(views.LoginView):
    """Start a session and redirect to `next`, if that is a path of this site.

    Other pages send people here who are signed in and have lost the permission to view.
    """

    template_name = "accounts/login.html"
    authentication_form = SignInForm
    extra_context = {"title": _("Sign in")}

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.is_authenticated and not request.user.has_perm(VIEW):
            messages.error(request, NOT_YET)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: object) -> Context:
        return admin.site.each_context(self.request) | super().get_context_data(**kwargs)


class ChangePassword(views.PasswordChangeView):
    """Set a new password after checking the old one."""

    template_name = "accounts/password.html"
    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")
    extra_context = {"title": _("Change password")}

    def get_context_data(self, **kwargs: object) -> Context:
        return admin.site.each_context(self.request) | super().get_context_data(**kwargs)
