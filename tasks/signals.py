"""How tasks tell the rooms above that a chain is concerned. Both are sent inside the transaction.

Tasks know that a chain has a say, not what it says: its receiver locks and settles it.
"""

from django.dispatch import Signal

chain_wanted = Signal()
"""Before any task is locked: lock these chains, and those that these agents own.

`agents`: ids of agents whose rows are locked already; `chains`: ids. `skip_locked`: do not wait,
raise ChainBusy when somebody else holds one of them. Unknown chains are left out.
"""

chain_changed = Signal()
"""After tasks of `chains` changed: make them right.

`taken_by`: the agent that has just been given `task` (which may stand alone), or None.
"""
