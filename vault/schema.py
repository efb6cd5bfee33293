"""What the functions of the key vault take and answer."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from api.schema import refused
from collab.schema import answer_of
from vault.models import ENV_LENGTH, NAME_LENGTH, KeyStatus
from vault.serializers import (
    RevokeRequestSerializer,
    RotateRequestSerializer,
    SelectorRequestSerializer,
    UpsertRequestSerializer,
)

NO_KEY = "There is no such key, or no such version of it."
ENDED = "The key has expired (`key_expired`), or was revoked (`key_revoked`)."
CHANGED = "What is stored of the key was changed by others (`checksum_mismatch`)."
UNREADABLE = (
    "The encryption key that has sealed it is not there; `hint` is `key_unreadable`, or"
    " `encryption_key_missing`. Or the database is away."
)


def stored(name: str) -> serializers.Serializer:
    return answer_of(name, key_id=serializers.UUIDField(), version_int=serializers.IntegerField())


def asked(name: str, longest: int = NAME_LENGTH, description: str = "") -> OpenApiParameter:
    kind = {"type": "string", "maxLength": longest}
    return OpenApiParameter(name, kind, description=description)


upsert = extend_schema(
    request=UpsertRequestSerializer,
    responses={
        200: stored("StoredKey"),
        **refused(s409="Another key has the alias (`alias_taken`).", s503=UNREADABLE),
    },
)
answers = {
    200: answer_of(
        "SecretOfKey",
        key_id=serializers.UUIDField(),
        version_int=serializers.IntegerField(),
        value=serializers.CharField(),
        checksum_sha256=serializers.CharField(),
        expires_at=serializers.DateTimeField(allow_null=True),
    ),
    **refused(
        s404=NO_KEY,
        s409="It may not be used yet (`key_not_yet`).",
        s410=ENDED,
        s422=CHANGED,
        s503=UNREADABLE,
    ),
}
get_by_post = extend_schema(methods=["POST"], request=SelectorRequestSerializer, responses=answers)
get_by_get = extend_schema(
    methods=["GET"],
    parameters=[
        asked("name"),
        asked("alias"),
        asked("provider", description="One of `name`, `alias` and `provider` is required."),
        asked("service"),
        asked("resource"),
        asked("env", ENV_LENGTH, "Without it that of `KEY_VAULT_MODE`: `dev` or `prod`."),
        OpenApiParameter(
            "version_int",
            {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
            description="Without it the newest that may be used.",
        ),
    ],
    responses=answers,
)
rotate = extend_schema(
    request=RotateRequestSerializer,
    responses={
        200: stored("RotatedKey"),
        **refused(
            s404=NO_KEY,
            s410="It was revoked, and no new value is given (`key_revoked`).",
            s422=CHANGED,
            s503=UNREADABLE,
        ),
    },
)
revoke = extend_schema(
    request=RevokeRequestSerializer,
    responses={
        200: answer_of(
            "RevokedKey",
            key_id=serializers.UUIDField(),
            status=serializers.ChoiceField(KeyStatus.choices),
        ),
        **refused(s404=NO_KEY),
    },
)
