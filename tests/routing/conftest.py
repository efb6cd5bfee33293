"""Providers that tests run."""

from contextlib import ExitStack

import pytest

from benchmarks.demo.providers import LocalProvider


@pytest.fixture
def serve():
    """Starts a provider that answers as it is told; all end with the test."""
    with ExitStack() as all_of_them:
        yield lambda act=None: all_of_them.enter_context(
            LocalProvider(act) if act else LocalProvider()
        )
