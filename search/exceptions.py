"""What goes wrong with search."""


class EmbedderFailed(Exception):
    """The embedder has given no vectors; never reaches a caller."""
