"""The checker is shown engines that are broken, each in one way, and must say so."""

from dataclasses import replace

import pytest

from chaos import checks
from chaos.checks import CHECKS
from chaos.history import Call, Tables
from chaos.logs import errors, tracebacks
from chaos.run import Options, Run
from tests.coordinator_project.running import eventually

pytestmark = pytest.mark.timeout(300)

QUIET = Options(seconds=3, servers=1, kinds=[], rest=0)

# Whether there is something for each statement below to break: not after a number of seconds,
# since machines differ.
ENOUGH = """SELECT 1 WHERE
  (SELECT count(*) FROM tasks_task WHERE status = 'done' AND last_holder NOT LIKE 'probe%') > 20
  AND EXISTS (SELECT FROM tasks_task WHERE status = 'done' AND chain_id IS NOT NULL
    GROUP BY chain_id HAVING count(*) > 1)
  AND EXISTS (SELECT FROM tasks_attempt WHERE outcome = 'failed')
  AND EXISTS (SELECT FROM tasks_task WHERE job_id IS NOT NULL)
  AND (SELECT count(DISTINCT split_part(agent_id, '-', 1)) FROM events_event
    WHERE type = 'task.claimed' AND agent_id ~ '^(single|waiting|chain|batch|spot)-') = 5"""

# A task that one of the fleet has done.
DONE = """(SELECT id FROM tasks_task WHERE status = 'done' AND last_holder NOT LIKE 'probe%'
  ORDER BY id LIMIT 1)"""
# The last step that was done, of the first chain of which two were.
STEP = """(SELECT id FROM tasks_task WHERE status = 'done' AND chain_id = (
  SELECT chain_id FROM tasks_task WHERE status = 'done' AND chain_id IS NOT NULL
  GROUP BY chain_id HAVING count(*) > 1 ORDER BY chain_id LIMIT 1)
  ORDER BY sequence DESC LIMIT 1)"""


def of_done(statement):
    return f"{statement} WHERE id = {DONE}"


def of_step(statement):
    return f"{statement} WHERE id = {STEP}"


UNGUARDED = "ALTER TABLE tasks_task DISABLE TRIGGER USER"


@pytest.fixture(scope="module")
def quiet(module_folder):
    """A run without faults, at its end; its coordinator still runs."""
    run = Run(QUIET, module_folder, print)
    with run.alive():
        run.break_things()
        eventually(lambda: run.ask(ENOUGH), 120)
        run.end()
        yield run


def found(run, *statements):
    """What each check finds after these statements, which are undone; only those that find."""
    with run.postgres.connect() as connection, connection.transaction(force_rollback=True):
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement
        return judged(replace(run.found, tables=Tables.read(connection)))


def judged(history):
    all_found = {name: list(check(history)) for name, check in CHECKS.items()}
    return {name: what for name, what in all_found.items() if what}


def test_an_engine_that_works_is_clean(quiet):
    done = sum(task.status == "done" for task in quiet.found.tables.tasks.values())
    kinds = {agent.partition("-")[0] for agent, _ in quiet.found.every("given")}

    assert judged(quiet.found) == {}
    assert done > 20
    assert {"single", "waiting", "chain", "batch", "spot"} <= kinds
    assert quiet.world.failures == []


@pytest.mark.parametrize(
    ("check", "statements"),
    [
        pytest.param(
            "each change has one event",
            [UNGUARDED, of_done("UPDATE tasks_task SET status = 'failed'")],
            id="no trigger writes the journal",
        ),
        pytest.param(
            "each change has one event",
            [
                "DELETE FROM events_event WHERE id = ("
                "SELECT max(id) FROM events_event WHERE type = 'task.completed')"
            ],
            id="an event is gone",
        ),
        pytest.param(
            "each change has one event",
            [
                "INSERT INTO events_event (type, task_id, payload) SELECT type, task_id, payload"
                " FROM events_event WHERE type = 'task.completed' ORDER BY id LIMIT 1"
            ],
            id="an event is there twice",
        ),
        pytest.param(
            "a task is done once",
            [
                "INSERT INTO events_event (type, task_id, payload) SELECT type, task_id, payload"
                " FROM events_event WHERE type = 'task.completed' ORDER BY id LIMIT 1"
            ],
            id="a task is completed twice",
        ),
        pytest.param(
            "leases are numbered without gaps",
            [
                UNGUARDED,
                of_done("UPDATE tasks_task SET lease_epoch = 0, closed_epoch = 0"),
            ],
            id="an epoch is reset",
        ),
        pytest.param(
            "acknowledged outcomes are kept",
            [of_done("DELETE FROM tasks_task")],
            id="a completed task is deleted",
        ),
        pytest.param(
            "acknowledged tasks exist",
            [of_done("DELETE FROM tasks_task")],
            id="an acknowledged task is deleted",
        ),
        pytest.param(
            "acknowledged outcomes are kept",
            [of_done("""UPDATE tasks_task SET result = '{"by": "another"}'""")],
            id="a result is overwritten",
        ),
        pytest.param(
            "acknowledged outcomes are kept",
            ["DELETE FROM tasks_attempt WHERE outcome = 'failed'"],
            id="a reported failure is forgotten",
        ),
        pytest.param(
            "a lease has one holder",
            [
                "INSERT INTO events_event (type, task_id, agent_id, payload)"
                " SELECT type, task_id, 'another', payload"
                " FROM events_event WHERE type = 'task.claimed' ORDER BY id LIMIT 1"
            ],
            id="a lease is given to a second agent",
        ),
        pytest.param(
            "chains keep their order",
            [UNGUARDED, of_step("UPDATE tasks_task SET sequence = 0")],
            id="a step comes before its turn",
        ),
        pytest.param(
            "counters equal a recount",
            [
                "UPDATE jobs_job SET completed = completed + 1"
                " WHERE id = (SELECT id FROM jobs_job LIMIT 1)"
            ],
            id="a job counts a task too many",
        ),
        pytest.param(
            "acknowledged tasks exist",
            [
                "DELETE FROM tasks_task WHERE id = ("
                "SELECT id FROM tasks_task WHERE job_id IS NOT NULL LIMIT 1)"
            ],
            id="a sweep is not whole",
        ),
        pytest.param(
            "nobody is lost for our silence",
            [
                "INSERT INTO events_event (type, agent_id, created_at) SELECT"
                " 'agent.was_lost', agent_id, max(created_at) FROM events_event"
                " WHERE agent_id = 'batch-0' GROUP BY agent_id"
            ],
            id="an agent that calls is announced lost",
        ),
        pytest.param(
            "nobody is lost for our silence",
            [
                of_done(
                    "INSERT INTO tasks_attempt (task_id, epoch, agent_id, outcome, reason,"
                    " ended_at) SELECT id, 99, last_holder, 'lost', '', finished_at"
                    " FROM tasks_task"
                )
            ],
            id="an agent that calls is charged with a loss",
        ),
        pytest.param(
            "streams miss nothing",
            [
                "INSERT INTO events_event (type, task_id, payload, created_at)"
                " SELECT 'task.deleted', gen_random_uuid(), '{}', created_at"
                " FROM events_event ORDER BY id DESC LIMIT 1"
            ],
            id="an event does not come to the streams",
        ),
    ],
)
def test_a_broken_engine_is_found_out(quiet, check, statements):
    assert check in found(quiet, *statements)


def test_an_engine_that_gives_a_task_to_two_agents_is_found_out(new_folder):
    run = Run(replace(QUIET, seconds=0), new_folder, print)
    give_again = """UPDATE tasks_task SET status = 'queued', agent_id = NULL, claimed_at = NULL,
      lease_expires_at = NULL, lease_epoch = lease_epoch - 1 WHERE status = 'in_progress'
      AND chain_id IS NULL AND job_id IS NULL"""
    with run.alive():
        run.break_things()
        with run.postgres.connect() as connection:
            connection.execute("SET session_replication_role = replica")  # no trigger, no rule
            eventually(lambda: connection.execute(give_again).rowcount >= 2)
        run.wait(3)
        run.end()

    assert "a lease has one holder" in judged(run.found)


def test_a_stream_that_leaves_something_out_is_found_out(quiet):
    deaf = [line for line in quiet.found.logs["stream-0"] if line["what"] != "told"]

    history = replace(quiet.found, logs={**quiet.found.logs, "stream-0": deaf})

    assert list(judged(history)) == ["streams miss nothing"]


def test_an_unanswered_request_proves_nothing(quiet):
    logs = {name: [*lines] for name, lines in quiet.found.logs.items()}
    task = next(iter(quiet.found.tables.tasks))
    logs["single-0"].append({"at": 0.0, "what": "unanswered", "task": task})

    assert judged(replace(quiet.found, logs=logs)) == {}


def test_tracebacks_are_found_in_lines_and_in_text(tmp_path):
    log = tmp_path / "a.log"
    log.write_text(
        '{"event": "crash", "level": "error", "exception": "Traceback (most recent call last):\\n'
        '  File \\"x.py\\", line 1\\nValueError: one"}\n'
        "Traceback (most recent call last):\n"
        '  File "y.py", line 2, in f\n'
        "    raise\n"
        "KeyError: 'two'\n"
        '{"event": "request", "level": "error", "status": 503}\n'
        '{"event": "pass", "level": "info"}\n'
    )

    assert tracebacks([log]) == {"crash: ValueError: one": 1, "KeyError: 'two'": 1}
    assert errors([log]) == {"crash": 1, "request": 1}


@pytest.mark.parametrize(
    ("calls", "went_on"),
    [
        ([Call(0, 0.1), Call(6), Call(12)], True),
        ([Call(0, 0.1), Call(6, 6.1), Call(12, 12.1)], True),
        ([Call(0, 0.1), Call(12)], False),
        ([Call(0, 0.1), Call(15, 16.1)], False),  # it came back, and was answered too late
        ([Call(0, 0.1), Call(15, 15.9)], True),
        ([], False),
    ],
)
def test_whoever_was_silent_and_has_not_been_heard_since_did_not_go_on(calls, went_on):
    assert checks.went_on(calls, until=16, seconds=10) == went_on
