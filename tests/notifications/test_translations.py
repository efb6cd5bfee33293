"""Every sentence of the room is translated into every language that messages can have."""

import pytest
from django.utils import translation

from dashboard.attention import Kind
from notifications.models import DeliveryStatus, Event, ReceiverKind
from notifications.verbs import DELIVERY_VERBS, RECEIVER_VERBS


@pytest.mark.parametrize("language", ["ko", "ru"])
def test_no_word_of_a_form_or_a_list_is_left_in_english(language):
    words = [
        one.label for kinds in (DeliveryStatus, Event, ReceiverKind, Kind) for one in kinds
    ] + [verb.label for verb in [*DELIVERY_VERBS, *RECEIVER_VERBS]]
    english = [str(word) for word in words]

    with translation.override(language):
        assert [one for one, word in zip(english, words, strict=True) if str(word) == one] == []
