"""Paths of login and logout."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path

from accounts.views import ChangePassword, SignIn

urlpatterns = [
    path("login", SignIn.as_view(), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("password", ChangePassword.as_view(), name="password"),
    path("i18n/", include("django.conf.urls.i18n")),
]
