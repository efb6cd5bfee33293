"""Fixtures of the tests of the journal."""

import pytest

from events import partitions


@pytest.fixture
def no_months(transactional_db):
    """Only the default partition, before and after: DDL outlives the flush that ends a test."""
    _drop_all()
    yield
    _drop_all()


def _drop_all():
    for name in partitions.existing():
        partitions.drop(name)
