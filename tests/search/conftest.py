import pytest

from search import finding
from tests.search.trees import tree

__all__ = ["tree"]


@pytest.fixture(autouse=True)
def nobody_is_away(monkeypatch):
    monkeypatch.setattr(finding, "is_away", finding.Absence())
