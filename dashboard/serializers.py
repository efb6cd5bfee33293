"""The requests of the console, besides those of its verbs."""

from api.fields import Text
from api.serializers import RequestSerializer


class DismissFindingRequestSerializer(RequestSerializer):
    """Which finding is to be hidden until it grows."""

    key = Text(max_length=100)
