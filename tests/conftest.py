"""One PostgreSQL for a run of the tests in all processes, and the mark on those that are slow."""

import fcntl
import gc
import math
import tempfile
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone, translation

from accounts import recognition
from accounts.hashers import PatientPBKDF2Hasher
from coordinator_project import databases, embedded, env
from dashboard import attention, counters, overview
from events import bounds
from tests import emptying
from tests.coordinator_project.running import running

pytest_plugins = ["tests.schema_check"]

FOLDER = pytest.StashKey[str]()
MIGRATED = "migrated"  # the database that those of all processes are copies of
TESTS = Path(__file__).parent
KEPT = counters.counters, counters.channels, counters.waits, attention.kept, overview.overview
# Folders and modules that start processes or a browser, race in many threads, replay many states,
# fill large tables or try every path, list or page. `script/test quick` leaves them out.
SLOW = {
    "benchmarks",
    "browser",
    "chaos",
    "demo",
    "examples",
    "smoke",
    "accounts/test_agent_key.py",
    "accounts/test_agent_tokens.py",
    "accounts/test_escalation.py",
    "accounts/test_first_start.py",
    "accounts/test_hashers.py",
    "accounts/test_headers.py",
    "accounts/test_ownership.py",
    "accounts/test_permission_table.py",
    "accounts/test_sign_in.py",
    "accounts/test_sign_in_limits.py",
    "accounts/test_token_admin.py",
    "accounts/test_token_scopes.py",
    "accounts/test_watching.py",
    "agents/test_admin.py",
    "api/test_body.py",
    "api/test_large_rows.py",
    "api/test_list_plans.py",
    "api/test_looks.py",
    "api/test_pagination.py",
    "api/test_query_counts.py",
    "api_v1/test_bad_input.py",
    "api_v1/test_dead_letters.py",
    "api_v1/test_fuzz.py",
    "api_v1/test_lists.py",
    "api_v1/test_over_http.py",
    "api_v1/test_paths.py",
    "artifacts/test_artifacts.py",
    "artifacts/test_joining.py",
    "artifacts/test_logs.py",
    "artifacts/test_over_http.py",
    "artifacts/test_races.py",
    "artifacts/test_reading.py",
    "artifacts/test_store.py",
    "chains/test_admin.py",
    "chains/test_gone_agents.py",
    "chains/test_long_chain.py",
    "chains/test_model.py",
    "chains/test_races.py",
    "chains/test_reset_commands.py",
    "chains/test_undo_races.py",
    "collab/test_bad_input.py",
    "collab/test_bus.py",
    "collab/test_function_plans.py",
    "collab/test_functions_over_http.py",
    "collab/test_older_schemas.py",
    "collab/test_plans.py",
    "collab/test_races.py",
    "collab/test_realtime.py",
    "collab/test_streams.py",
    "console/test_every_form.py",
    "console/test_forms.py",
    "console/test_fuzz.py",
    "console/test_large.py",
    "console/test_lists.py",
    "console/test_races.py",
    "console/test_speed.py",
    "console/test_verbs.py",
    "client/test_agent.py",
    "client/test_clients.py",
    "client/test_commands.py",
    "client/test_containers.py",
    "client/test_logs.py",
    "client/test_outbox.py",
    "client/test_runner.py",
    "client/test_sources.py",
    "coordinator_project/test_bounded_waits.py",
    "coordinator_project/test_budget.py",
    "coordinator_project/test_commands.py",
    "coordinator_project/test_door.py",
    "coordinator_project/test_embedded.py",
    "coordinator_project/test_half_closed.py",
    "coordinator_project/test_leadership.py",
    "coordinator_project/test_limits.py",
    "coordinator_project/test_locked_rows.py",
    "coordinator_project/test_logs.py",
    "coordinator_project/test_loop_health.py",
    "coordinator_project/test_openapi.py",
    "coordinator_project/test_recovery.py",
    "coordinator_project/test_runserver.py",
    "coordinator_project/test_scripts.py",
    "coordinator_project/test_secrets_in_logs.py",
    "coordinator_project/test_serve.py",
    "coordinator_project/test_serve_recovery.py",
    "coordinator_project/test_settings.py",
    "coordinator_project/test_silence.py",
    "coordinator_project/test_traces.py",
    "coordinator_project/test_websockets_at_door.py",
    "dashboard/test_attention_plans.py",
    "dashboard/tables/test_plans.py",
    "dashboard/test_far_behind.py",
    "dashboard/test_hostile_acts.py",
    "dashboard/test_live.py",
    "dashboard/test_nonsense.py",
    "dashboard/test_shutdown.py",
    "dashboard/test_stream.py",
    "events/test_bounds.py",
    "events/test_partitions.py",
    "events/test_retention.py",
    "events/test_tail.py",
    "fuzz/test_fuzz.py",
    "jobs/test_admin.py",
    "jobs/corndogs/test_bridge.py",
    "jobs/corndogs/test_faces.py",
    "jobs/corndogs/test_outbox.py",
    "jobs/corndogs/test_processes.py",
    "jobs/test_api_results.py",
    "jobs/test_command_races.py",
    "jobs/test_purge.py",
    "jobs/test_races.py",
    "jobs/test_races_of_many.py",
    "jobs/test_races_with_operators.py",
    "jobs/test_races_with_reapers.py",
    "jobs/test_random_verbs.py",
    "jobs/test_reset.py",
    "jobs/test_streaming.py",
    "jobs/test_tally.py",
    "metrics/test_recount.py",
    "notifications/test_admin.py",
    "notifications/test_sending.py",
    "routing/test_calls.py",
    "routing/test_keys.py",
    "routing/test_races.py",
    "search/test_evaluation.py",
    "search/test_grammars.py",
    "spots/test_bad_input.py",
    "spots/test_defects.py",
    "spots/test_health.py",
    "spots/test_paused.py",
    "spots/test_simulator.py",
    "tasks/test_admin.py",
    "tasks/test_blame.py",
    "tasks/test_claim.py",
    "tasks/test_claims_of_types.py",
    "tasks/test_dead_letter_reasons.py",
    "tasks/test_dead_letters.py",
    "tasks/test_edges.py",
    "tasks/test_fast_path.py",
    "tasks/test_late_races.py",
    "tasks/test_late_reports.py",
    "tasks/test_locked_tasks.py",
    "tasks/test_matching_plans.py",
    "tasks/test_plans.py",
    "tasks/test_races.py",
    "tasks/test_series.py",
    "tasks/test_waiting.py",
    "tasks/test_waiting_claims.py",
    "vault/test_admin.py",
    "vault/test_bad_input.py",
    "vault/test_leaks.py",
    "vault/test_races.py",
}
# These come first, so that at the end no process waits long for another. They need no database,
# whose tests have an order: those that commit are the last.
LONG = {
    "fuzz",
    "benchmarks",
    "chaos",
    "demo",
    "smoke",
    "accounts/test_first_start.py",
    "coordinator_project/test_scripts.py",
    "coordinator_project/test_silence.py",
    "jobs/corndogs/test_processes.py",
}


def pytest_configure(config):
    gc.set_threshold(50_000)  # of the many things that modules make nearly all stay
    emptying.quicken()
    settings.OBJECT_STORE = {"kind": "memory", "base_path": "", "bucket": "", "prefix": ""}
    settings.OBJECT_STORE |= {"options": ()}
    settings.SEARCH_ROOTS = ()
    PatientPBKDF2Hasher.iterations = 1_000  # instead of some tenths of a second for each password
    if hasattr(config, "workerinput"):
        config.stash[FOLDER] = config.workerinput["database_folder"]
    else:
        folder = tempfile.TemporaryDirectory(prefix="coordinator-tests-")
        # PostgreSQL does not run as root, so its own user has to pass through.
        Path(folder.name).chmod(0o711)
        config.add_cleanup(folder.cleanup)
        config.stash[FOLDER] = folder.name


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items):
    """Mark before pytest selects by marks, and bring into order after all others have."""
    assert [name for name in SLOW | LONG if not (TESTS / name).exists()] == []
    for item in items:
        if is_among(item, SLOW):
            item.add_marker(pytest.mark.slow)
    yield
    items.sort(key=lambda item: not is_among(item, LONG))


def is_among(item, places):
    path = item.path.relative_to(TESTS)
    return not places.isdisjoint({path.parts[0], path.as_posix()})


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["database_folder"] = node.config.stash[FOLDER]


@pytest.fixture(autouse=True)
def _language_and_zone_are_the_usual():
    """A request leaves its thread in the language and the time zone of its reader."""
    yield
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture(autouse=True)
def _nobody_is_remembered():
    """Each test begins as if it had just been found that no token is issued."""
    recognition.forget()
    recognition._memory.issued = math.inf, False
    yield
    recognition.forget()


@pytest.fixture(autouse=True)
def _nothing_is_kept_from_the_test_before():
    """What the console keeps for a second or two is made anew."""
    for kept in KEPT:
        kept.forget()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request, django_db_modify_db_settings_parallel_suffix, django_db_blocker
):
    """Point Django at a PostgreSQL that is started now and shared by all processes of the run.

    A test is one transaction, which may take long where many run at once.
    """
    bounds.LONGEST = timedelta()
    if env.database_url()[1]:
        yield
        return
    folder = Path(request.config.stash[FOLDER])
    with embedded.database(folder, durable=False) as database:
        found = databases.settings_for("the embedded PostgreSQL", database.url)
        settings.DATABASES["default"].update(found)
        with locked(folder / "lock"), django_db_blocker.unblock():
            if not (folder / MIGRATED).exists():
                migrate(MIGRATED)
                (folder / MIGRATED).touch()
            settings.DATABASES["default"]["TEST"]["TEMPLATE"] = MIGRATED
        yield


@contextmanager
def locked(path):
    """Only one process of the run at a time."""
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def migrate(name):
    """Make a database with all tables: each process has a copy, which takes a moment."""
    usual = connection.settings_dict["NAME"]
    with connection.creation._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.settings_dict["NAME"] = name
    call_command("migrate", verbosity=0)
    connection.close()
    connection.settings_dict["NAME"] = usual


@pytest.fixture(scope="session")
def first_run(request):
    """The data folder of a coordinator that ran once: the first process that wants it makes it.

    All migrations take longer than most tests, so coordinators start on copies of it.
    """
    place = Path(request.config.stash[FOLDER]) / "first run"
    place.mkdir(mode=0o711, exist_ok=True)
    with locked(place / "lock"):
        if not (place / "made").exists():
            with running(place / "data") as coordinator:
                coordinator.ready()
            (place / "made").touch()
    return place / "data"
