"""What answers show of artifacts."""

from rest_framework import serializers

from api.answers import AnswerSerializer


class ArtifactSerializer(AnswerSerializer):
    """A file that a task has produced. `lost`: its attempt lost its lease afterwards."""

    path = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    content_type = serializers.CharField()
    created_at = serializers.DateTimeField()
    attempt = serializers.IntegerField(source="epoch")
    lost = serializers.BooleanField(source="is_lost")


class LogLineSerializer(serializers.Serializer):
    """A line of a log."""

    timestamp = serializers.DateTimeField()
    stream = serializers.ChoiceField(["stdout", "stderr"])
    message = serializers.CharField()
    attempt = serializers.IntegerField()
