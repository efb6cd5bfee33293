"""What the tables read, as their modules make it."""

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from api.schema import answer
from dashboard.answers import AgentRowSerializer
from dashboard.number_answers import texts
from tasks.answers import TaskSerializer
from tasks.states import DeadLetter


class MatchingSerializer(serializers.Serializer):
    """The ids of the first 10,000 rows that match; `more`: there may be others."""

    ids = serializers.ListField(child=serializers.UUIDField())
    more = serializers.BooleanField()


class RecentFailureSerializer(serializers.Serializer):
    """The last task that an agent did not end well."""

    at = serializers.DateTimeField()
    task_id = serializers.CharField(required=False)
    error = serializers.CharField(required=False)


class AgentTableRowSerializer(AgentRowSerializer):
    """An agent, with how the tasks ended that it had last."""

    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    last_failure = RecentFailureSerializer(required=False)
    version = serializers.CharField(required=False)


class LetterGroupSerializer(serializers.Serializer):
    """Dead letters of one cause, whose errors are alike."""

    id = serializers.CharField()
    dead_letter = serializers.ChoiceField(DeadLetter.choices)
    error = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField()
    latest = serializers.UUIDField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    channels = serializers.ListField(child=serializers.UUIDField())


@extend_schema_serializer(many=False)
class LetterGroupsSerializer(serializers.Serializer):
    """The largest groups of the latest dead letters; `more`: others were not looked at."""

    groups = LetterGroupSerializer(many=True)
    count = serializers.IntegerField()
    more = serializers.BooleanField()
    more_groups = serializers.BooleanField()


class LetterRowSerializer(TaskSerializer):
    """A dead letter with the beginning of its error, or the end of a traceback."""

    error = serializers.CharField(allow_blank=True)


class UseSerializer(serializers.Serializer):
    """A use of a verb on one object or many, of which the first few are named."""

    id = serializers.CharField()
    created_at = serializers.DateTimeField()
    actor = serializers.CharField()
    verb = serializers.CharField()
    verb_label = serializers.CharField()
    kind = serializers.CharField()
    kind_label = serializers.CharField()
    reason = serializers.CharField()
    count = serializers.IntegerField()
    refused = serializers.IntegerField()
    last_at = serializers.DateTimeField()
    objects = texts()
    titles = serializers.DictField(child=serializers.CharField())


class UseRowSerializer(serializers.Serializer):
    """An object before and after; or why the verb was refused."""

    id = serializers.CharField()
    created_at = serializers.DateTimeField()
    kind = serializers.CharField()
    object_id = serializers.CharField()
    title = serializers.CharField(required=False)
    before = serializers.DictField()
    after = serializers.DictField()
    refused = serializers.CharField(required=False)
    message = serializers.CharField(required=False)


def page(name: str, key: str, row: serializers.Serializer) -> serializers.Serializer:
    """A page of a table whose cursor is called `next`."""
    return answer(name, **{key: row, "next": serializers.CharField(required=False)})
