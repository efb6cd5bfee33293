"""What pages read of numbers, of what needs a person, and of what happened over time."""

from rest_framework import serializers

from dashboard.attention import Severity
from tasks.series import RANGES
from tasks.states import Status


def integers(*, required: bool = True) -> serializers.DictField:
    return serializers.DictField(child=serializers.IntegerField(), required=required)


def texts(*, required: bool = True) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(), required=required)


def numbers() -> serializers.ListField:
    return serializers.ListField(child=serializers.IntegerField())


def seconds() -> serializers.ListField:
    return serializers.ListField(child=serializers.FloatField(allow_null=True))


class TrendsSerializer(serializers.Serializer):
    """A number for each of the last sixty minutes, the present one last."""

    waiting = numbers()
    running = numbers()
    ended = numbers()
    failed = numbers()


class CountersSerializer(serializers.Serializer):
    """Counts of now; `rate`: tasks ended per second, for each of the last sixty minutes."""

    at = serializers.DateTimeField()
    agents_online = serializers.IntegerField()
    agents_total = serializers.IntegerField()
    tasks = integers()
    estimated = serializers.ListField(child=serializers.ChoiceField(Status.choices))
    oldest_waiting_at = serializers.DateTimeField(allow_null=True)
    failures_last_hour = serializers.IntegerField()
    dead_letters = serializers.IntegerField()
    rate = serializers.ListField(child=serializers.FloatField())
    trends = TrendsSerializer()


class SubjectSerializer(serializers.Serializer):
    """One of the things that a finding is about; `count`: the tasks that wait in a channel."""

    id = serializers.CharField()
    title = serializers.CharField()
    address = serializers.CharField()
    since = serializers.DateTimeField(required=False)
    count = serializers.IntegerField(required=False)


class FindingSerializer(serializers.Serializer):
    """What needs a person, what it is about, and the verbs on that which put it right."""

    key = serializers.CharField()
    kind = serializers.CharField()
    severity = serializers.ChoiceField([*Severity])
    count = serializers.IntegerField()
    more = serializers.BooleanField(required=False)
    since = serializers.DateTimeField(required=False)
    latest = serializers.DateTimeField(required=False)
    text = serializers.DictField(child=serializers.CharField())
    address = serializers.CharField()
    of = serializers.CharField(required=False)
    subjects = SubjectSerializer(many=True)
    verbs = texts(required=False)
    connects = serializers.BooleanField(required=False)


class SeriesSerializer(serializers.Serializer):
    """What happened in points of `span` seconds, from `start` on; the last one is not over."""

    range = serializers.ChoiceField([*RANGES])
    channel = serializers.UUIDField(allow_null=True)
    start = serializers.DateTimeField()
    until = serializers.DateTimeField()
    span = serializers.IntegerField()
    done = numbers()
    failed = numbers()
    cancelled = numbers()
    waiting = numbers()
    running = numbers()
    wait_p50 = seconds()
    wait_p95 = seconds()
