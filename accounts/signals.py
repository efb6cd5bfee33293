"""Signals of tokens to the rooms above, sent in the transaction that changes them.

Each has `token`, `caller` (who did it) and `reason`.
"""

from django.dispatch import Signal

token_issued = Signal()
token_revoked = Signal()
