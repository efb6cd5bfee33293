"""Signals to the rooms above.

Those of tokens are sent in the transaction that changes them, with `token`, `caller` (who did it)
and `reason`; that of people and groups with `row`, `caller`, `verb`, and what they may, `before`
and `after`. `agent_named` is sent before a request in which a user speaks for an agent, with
`caller`, `agent_id` ("" where the body names none) and `rule`; a receiver refuses by raising.
"""

from django.dispatch import Signal

token_issued = Signal()
token_revoked = Signal()
person_changed = Signal()
agent_named = Signal()
