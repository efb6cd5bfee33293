from tests.search.trees import tree

__all__ = ["tree"]
