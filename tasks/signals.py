"""Signals to the rooms above, sent inside the transaction when a change concerns a chain.

`tasks` does not know the rules of chains: the receivers lock and settle them. Who receives them is
looked up once, since most are sent by every claim or report.
"""

from django.dispatch import Signal

chain_wanted = Signal(use_caching=True)
"""Sent before any task is locked: lock these chains, and the chains that these agents own.

`agents`: ids of agents whose rows are locked already; `chains`: ids. `skip_locked`: do not wait,
raise ChainBusy when another transaction has locked one of them. Unknown chains are skipped.
"""

agent_restarted = Signal(use_caching=True)
"""Sent when an agent, whose row is locked, begins anew: end its ownership of a chain.

`agent_id` and `reason`. No task is locked yet.
"""

claim_answered = Signal(use_caching=True)
"""Sent after a claim: when it was `begun` (by `perf_counter`), and whether any task was `found`.

This one and the next two are for those who count; nothing follows from them, and the transaction
may still be rolled back.
"""

report_refused = Signal(use_caching=True)
"""Sent when a report or a renewal comes too late to count: the `type` of its task, and a `code`."""

leases_renewed = Signal(use_caching=True)
"""Sent when an agent's leases are renewed: the `types` of its tasks."""

events_folded = Signal(use_caching=True)
"""Sent when the journal above the id `low` up to `high` has been counted, and that is committed.

Once for each event of a task, unless the process ends in between.
"""

restore_wanted = Signal(use_caching=True)
"""Sent before a cancelled `task` goes back to the queue: raise a Problem if somebody has noticed.

Its chain is locked, no task is.
"""

chain_changed = Signal(use_caching=True)
"""Sent after tasks of `chains` changed: settle these chains.

`taken_by`: the agent that has just claimed a task, of the one chain in `chains` or of none; None
if the change was no claim.
"""
