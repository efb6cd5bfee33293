"""The fast and the transactional path, for tests of what they have in common."""

import pytest

from tasks import claims, fast_path
from tasks.rows import ClaimRequest, Outcome
from tests.factories import run_fast
from tests.tasks.reporting import ACCEPTED, fail


def by_fast_path(agent_id, *channels, **fields):
    """The ids of the tasks that a claim gets by the fast path, which must apply."""
    request = claim_request(agent_id, channels, fields)
    return [task.id for task in fast_path.run(agent_id, request=request).tasks]


def in_transaction(agent_id, *channels, **fields):
    tasks = claims.claim_in_transaction(claim_request(agent_id, channels, fields))
    return [task.id for task in tasks]


def by_either_path(agent_id, *channels, **fields):
    return [task.id for task in claims.claim(claim_request(agent_id, channels, fields))]


def claim_request(agent_id, channels, fields):
    return ClaimRequest(agent_id, ids=[channel.pk for channel in channels], **fields)


both_paths = pytest.mark.parametrize("claim", [by_fast_path, in_transaction])


def fail_by_fast_path(task, reason="broken", **outcome):
    assert run_fast(task.agent_id, [Outcome(task.pk, done=False, reason=reason, **outcome)])


def fail_in_transaction(task, **outcome):
    assert fail(task, by=task.agent, **outcome) == ACCEPTED
