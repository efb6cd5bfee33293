"""What others may count of search."""

from django.dispatch import Signal

searched = Signal()  # kind
indexed = Signal()  # changes: how many, by what was done; seconds
embedded = Signal()  # failed: whether there was no vector for a query
