"""What processes see: counted where it happens, kept in files that outlive a process."""

import os

import pytest
from prometheus_client import REGISTRY

from coordinator_project import env, observations
from coordinator_project.observations import Observer
from tasks import leases, reports
from tasks.claims import claim
from tasks.rows import ClaimRequest, Outcome
from tests.factories import give, make_agent, make_channel, make_held_task, make_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(env.METRICS_FOLDER, str(tmp_path / "metrics"))
    monkeypatch.setattr(observations, "present", Observer())
    return tmp_path / "metrics"


@pytest.fixture
def grown():
    """By how much a sample has grown since the test began."""
    before = {}

    def read(name, **labels):
        return REGISTRY.get_sample_value(name, labels) or 0.0

    def growth(name, **labels):
        return read(name, **labels) - before.setdefault((name, *sorted(labels.items())), 0.0)

    def begin(name, **labels):
        before[name, *sorted(labels.items())] = read(name, **labels)

    growth.begin = begin
    return growth


def test_a_request_is_counted_by_family_and_code(client, grown):
    name, labels = "coordinator_http_request_seconds_count", {"family": "health", "code": "405"}
    grown.begin(name, **labels)

    client.post("/health")

    assert grown(name, **labels) == 1


def test_claims_are_counted_by_whether_there_was_a_task(grown):
    channel = make_channel()
    make_tasks(1, channel=channel)
    name = "coordinator_claim_seconds_count"
    for result in ("some", "none"):
        grown.begin(name, result=result)

    for _ in range(3):
        claim(ClaimRequest("worker", ids=[channel.pk]))

    assert (grown(name, result="some"), grown(name, result="none")) == (1, 2)


def test_late_reports_and_renewals_are_conflicts(grown):
    task = make_held_task(make_agent("worker"), type="build")
    grown.begin("coordinator_reports_refused_total", code="lease_lost")
    grown.begin("cogo_scheduler_claim_conflict_total", job_type="build")

    [verdict], _ = reports.report("worker", [Outcome(task.pk, True, epoch=99)])
    with pytest.raises(leases.LeaseLost):
        leases.renew(task.pk, agent_id="worker", epoch=99)

    assert verdict.verdict == "lost"
    assert grown("coordinator_reports_refused_total", code="lease_lost") == 2
    assert grown("cogo_scheduler_claim_conflict_total", job_type="build") == 2


def test_renewals_are_counted_by_type_one_by_one_and_by_heartbeat(grown):
    channel, agent = make_channel(), make_agent("worker")
    make_tasks(2, channel=channel, type="build")
    leased, unleased = give(agent, channel, lease_seconds=60), give(agent, channel)
    grown.begin("cogo_job_lease_renew_total", job_type="build")

    leases.renew(leased.pk, agent_id="worker")
    leases.renew_listed("worker", {leased.pk: None, unleased.pk: None})

    assert grown("cogo_job_lease_renew_total", job_type="build") == 2


def test_types_beyond_the_most_share_one_label():
    observer = Observer()

    labels = [observer.label(f"type-{number}") for number in range(observations.MOST_TYPES + 3)]

    assert labels[-4:] == [f"type-{observations.MOST_TYPES - 1}", *["other"] * 3]
    assert observer.label("type-0") == "type-0"


def test_each_process_has_files_with_their_space_and_a_start_begins_anew(folder):
    observations.begin_anew()
    observations.begin()
    files = {path.name: path.stat().st_blocks * 512 for path in folder.iterdir()}

    assert files.keys() == {f"{kind}_{os.getpid()}.db" for kind in observations.KINDS}
    for kind, size in observations.KINDS.items():
        assert files[f"{kind}_{os.getpid()}.db"] >= size

    observations.forget(os.getpid())
    left = {path.name.rpartition("_")[0] for path in folder.iterdir()}
    assert left == {"histogram", "counter"}

    observations.begin_anew()
    assert list(folder.iterdir()) == []


def test_a_process_without_space_for_its_files_works_unobserved(folder, monkeypatch, grown, client):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    observations.begin_anew()
    name, labels = "coordinator_http_request_seconds_count", {"family": "health", "code": "200"}
    grown.begin(name, **labels)

    observations.begin()
    observations.look()

    assert not observations.present.works
    assert client.get("/health").status_code == 200
    assert grown(name, **labels) == 0
