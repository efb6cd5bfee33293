"""Migrations of data, on rows as an earlier version left them."""

from importlib import import_module
from unicodedata import normalize

import pytest
from django.apps import apps

from tasks.models import Channel
from tests.factories import make_channel

pytestmark = pytest.mark.django_db


def test_names_of_channels_are_composed_unless_another_has_the_name():
    apart = normalize("NFD", "빌드")
    alone, twice, composed, plain = map(make_channel, [normalize("NFD", "é"), apart, "빌드", "x"])

    import_module("tasks.migrations.0007_names_of_channels").compose(apps, None)

    names = dict(Channel.objects.values_list("pk", "name"))
    assert names == {alone.pk: "é", twice.pk: apart, composed.pk: "빌드", plain.pk: "x"}
