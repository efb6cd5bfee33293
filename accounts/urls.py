"""Paths of signing in, of pages and over the API, and of tokens."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path

from accounts.auth_views import AuthViewSet
from accounts.timezones import Preferences
from accounts.token_views import TokenViewSet
from accounts.views import AgentSignIn, ChangePassword, SignIn
from api.routers import LenientRouter, Router

router = Router()
router.register("v1/auth", AuthViewSet, basename="auth")

tokens = LenientRouter()
tokens.register("tokens", TokenViewSet, basename="token")

urlpatterns = [
    path("login", SignIn.as_view(), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("preferences", Preferences.as_view(), name="preferences"),
    path("password", ChangePassword.as_view(), name="password"),
    path("agent-auth.html", AgentSignIn.as_view(), name="agent-auth"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/v1/", include(tokens.urls)),
    *router.urls,
]
