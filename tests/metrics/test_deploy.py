"""The alert rules and the dashboard in deploy/ ask for what /metrics really says."""

import json
import re
import shutil
import subprocess
from datetime import timedelta

import pytest
import yaml
from django.utils import timezone

from coordinator_project import observations
from coordinator_project.env import BASE_DIR
from coordinator_project.models import PassRecord
from metrics import scrape
from tasks import leases
from tests.factories import give, make_agent, make_channel, make_tasks, silence
from tests.metrics.reading import samples
from tests.tasks.counting import fold_all
from tests.tasks.test_tallies import end, live

pytestmark = pytest.mark.django_db

DEPLOY = BASE_DIR / "deploy"
RULES = DEPLOY / "prometheus" / "coordinator-alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "coordinator.json"
PROMTOOL = shutil.which("promtool")

SELECTOR = re.compile(r"\b((?:coordinator|cogo|key_vault)_[a-z_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"")
GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")


def alerts():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [(rule["alert"], rule["expr"]) for group in groups for rule in group["rules"]]


def panels():
    dashboard = json.loads(DASHBOARD.read_text())
    return [
        (f"{panel['title']} {target['refId']}", target["expr"])
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]


def real_output(client):
    """All that a coordinator that works says, by the names of its samples: their labels' values."""
    live()
    channel, agent = make_channel(), make_agent("w")
    silence(make_agent("gone"), timedelta(hours=2))
    make_tasks(2, channel=channel)
    held = give(agent, channel, lease_seconds=60)
    leases.renew(held.pk, agent_id="w")
    late = {"task_id": str(held.pk), "agent_id": "w", "lease_epoch": 99}
    assert client.post("/v1/tasks/complete", late, "application/json").status_code == 409
    end(held, well=True)
    PassRecord.objects.create(
        name="tasks.fold", every=timedelta(seconds=2), last_success_at=timezone.now()
    )
    fold_all()
    observations.look()
    found = {}
    for name, *labels in samples(scrape.text().decode()):
        values = found.setdefault(name, {})
        for label, value in labels:
            values.setdefault(label, set()).add(value)
    return found


def faults(expression, found):
    """What an expression asks for that is not there."""
    asked = SELECTOR.findall(expression)
    assert asked or "up{" in expression, expression
    labels = set()
    for name, matchers in asked:
        if name not in found:
            yield name
            continue
        labels |= found[name].keys()
        for label, operator, value in MATCHER.findall(matchers):
            if label not in found[name]:
                yield f"{name}: {label}"
            elif operator == "=" and value not in found[name][label]:
                yield f"{name}: {label}={value}"
            elif operator == "=~" and "$" not in value and label in {"event", "reason"}:
                yield from (
                    f"{name}: {label}={one}"
                    for one in value.split("|")
                    if one not in found[name][label] | {"lease_expired"}
                )
    for group in GROUPING.findall(expression):
        yield from {one.strip() for one in group.split(",")} - labels - {"instance"}


def test_rules_and_panels_ask_for_what_there_is(client):
    found = real_output(client)
    expressions = [*alerts(), *panels()]

    wrong = {name: list(faults(expression, found)) for name, expression in expressions}

    assert {name: some for name, some in wrong.items() if some} == {}
    assert len(alerts()) > 15
    assert len(panels()) > 20


def test_a_rule_that_asks_for_what_there_is_not_is_noticed(client):
    found = real_output(client)

    assert list(faults('coordinator_taks{status="queued"} > 1', found)) == ["coordinator_taks"]
    assert list(faults('coordinator_tasks{state="queued"}', found)) == ["coordinator_tasks: state"]
    assert list(faults("sum by (queue) (coordinator_tasks)", found)) == ["queue"]
    assert list(faults('coordinator_agents{state="away"}', found)) == [
        "coordinator_agents: state=away"
    ]


def test_every_alert_says_what_happened_and_what_helps():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "help"}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_accepts_the_rules_and_the_example(tmp_path):
    for name in ("prometheus.yml", "coordinator-alerts.yml"):
        (tmp_path / name).write_text((RULES.parent / name).read_text())
    (tmp_path / "coordinator-token").touch()

    for kind, name in (("rules", RULES.name), ("config", "prometheus.yml")):
        checked = subprocess.run(
            [PROMTOOL, "check", kind, str(tmp_path / name)], capture_output=True, text=True
        )
        assert checked.returncode == 0, checked.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_accepts_what_a_scrape_says(client):
    real_output(client)

    checked = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=scrape.text(), capture_output=True
    )

    # What it calls lint is advice on names: those of seed 003 are its own.
    assert checked.returncode in {0, 3}, checked.stderr
    assert b"error while linting" not in checked.stderr
