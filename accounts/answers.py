"""What answers show of tokens and users; never a digest."""

from rest_framework import serializers

from accounts.credentials import PREFIX
from accounts.models import ApiToken
from accounts.roles import Role
from accounts.scopes import Scope
from api.answers import AnswerSerializer


class TokenSerializer(AnswerSerializer):
    token_id = serializers.UUIDField(source="pk")
    name = serializers.CharField()
    token_prefix = serializers.SerializerMethodField()
    ending = serializers.CharField()
    role = serializers.CharField()
    user_id = serializers.UUIDField(required=False)
    agent_id = serializers.SerializerMethodField()
    agent_prefix = serializers.SerializerMethodField()
    channels = serializers.ListField(child=serializers.CharField(), required=False)
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices), required=False)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(required=False)
    is_active = serializers.BooleanField(source="is_live")
    is_login = serializers.BooleanField(required=False)

    def get_token_prefix(self, token: ApiToken) -> str:
        return PREFIX

    def get_agent_id(self, token: ApiToken) -> str | None:
        return token.agent if token.role == Role.AGENT and not token.agent_is_prefix else None

    def get_agent_prefix(self, token: ApiToken) -> str | None:
        return token.agent if token.agent_is_prefix else None


class IssuedTokenSerializer(TokenSerializer):
    """The same, with the token itself."""

    token = serializers.CharField()


class UserSerializer(AnswerSerializer):
    id = serializers.UUIDField(source="pk")
    username = serializers.CharField()
    created_at = serializers.DateTimeField(source="date_joined")
    updated_at = serializers.DateTimeField(source="date_joined")
