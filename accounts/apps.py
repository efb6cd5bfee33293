"""Users, credentials and permissions."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
