"""What goes wrong with search."""

from problems import Invalid


class EmbedderFailed(Exception):
    """The embedder has given no vectors; never reaches a caller."""


class NoQuery(Invalid):
    """q must say what to look for."""
