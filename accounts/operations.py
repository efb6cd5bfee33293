"""What the operations on tokens and sign-ins take and answer."""

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.fields import Field

from accounts.answers import IssuedTokenSerializer, TokenSerializer, UserSerializer
from accounts.serializers import (
    CodeRequestSerializer,
    LoginRequestSerializer,
    RegisterRequestSerializer,
    TokenRequestSerializer,
)
from api.pagination import OFFSETS
from api.schema import answer, refused


def asked(name: str, kind: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, {"type": kind}, description=description)


tokens = extend_schema_view(
    list=extend_schema(
        parameters=[
            asked("limit", "integer", "Rows of a page, at most 500."),
            OpenApiParameter("offset", OFFSETS, description="Rows to skip."),
            asked("user_id", "string", "Whose tokens; for administrators."),
            asked("all", "boolean", "Those of everybody; for administrators."),
        ],
        responses=answer(
            "TokensAnswer",
            tokens=TokenSerializer(many=True),
            total=serializers.IntegerField(),
        ),
    ),
    create=extend_schema(request=TokenRequestSerializer, responses={201: IssuedTokenSerializer}),
    destroy=extend_schema(responses={204: None}),
)

SIGNED_IN = answer(
    "SignedInAnswer",
    token=serializers.CharField(),
    user=UserSerializer(),
    auth_code=serializers.CharField(required=False),
)
PERSON: dict[str, Field] = {
    "user_id": serializers.UUIDField(),
    "username": serializers.CharField(),
}

sign_ins = extend_schema_view(
    register=extend_schema(
        request=RegisterRequestSerializer,
        responses={
            201: SIGNED_IN,
            **refused(s403="Nobody may register here.", s409="This name is taken."),
        },
    ),
    login=extend_schema(
        request=LoginRequestSerializer,
        responses={
            200: SIGNED_IN,
            **refused(s401="Name or password is wrong.", s403="The user may do nothing here."),
        },
    ),
    verify=extend_schema(
        parameters=[asked("agent_auth", "boolean", "Answer with a code for an agent, too.")],
        responses=answer("VerifyAnswer", **PERSON, auth_code=serializers.CharField(required=False)),
    ),
    agent_token=extend_schema(
        request=CodeRequestSerializer,
        responses={
            200: answer("AgentTokenAnswer", token=serializers.CharField(), **PERSON),
            **refused(s401="The code is not valid, or has been used."),
        },
    ),
)
