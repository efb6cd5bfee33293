"""Rows of two users, all callers who may ask for them, and a request for every operation."""

import json
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from django.db import transaction
from django.db.models import Q
from django.http import HttpResponse
from django.test import Client, override_settings

from accounts import recognition
from accounts.models import ApiToken, User
from agents.models import Agent, Notification, NotificationType, Protocol
from chains import transitions as chains
from chains.models import Chain
from collab import signing
from collab.models import DeadLetter
from events.models import OperatorAction
from jobs import command_transitions
from jobs.commands import CommandRequest
from jobs.models import Job
from jobs.sweeps import CHANNEL
from tasks.models import Channel, Task
from tests.accounts.tokens import ADMINISTRATOR, client_of, issue
from tests.console.people import browser_of, make_person
from tests.factories import (
    fail_at_once,
    fresh,
    make_agent,
    make_chain,
    make_channel,
    make_held_task,
    make_job,
    make_task,
    take,
)
from tests.jobs.sweeps import ranges
from tests.vault.keys import make_key
from vault.models import SecureKey

KEY = "the-agent-key"
ELSEWHERE = "192.0.2.7"


@dataclass(frozen=True)
class Things:
    """Rows of one user. The agent holds `held`, the SPOT `held_by_spot`; `chain` has no owner."""

    channel: Channel
    chain: Chain
    task: Task
    held: Task
    locked: Task
    failed: Task
    job: Job
    command: Job
    agent: Agent
    spot: Agent
    held_by_spot: Task
    token: ApiToken
    key: SecureKey
    use: OperatorAction


def things_of(user: User) -> Things:
    name = user.get_username()
    channel = make_channel(f"of {name}")
    Channel.objects.filter(pk=channel.pk).update(user=user)
    channel = fresh(channel)
    agent = make_agent(f"{name}-agent", subscriptions=(channel.name,))
    spot = make_agent(f"{name}-spot", protocol=Protocol.SPOT)
    Notification.objects.create(agent=agent, type=NotificationType.values[0])
    held = make_held_task(agent, channel=channel)
    failed = make_task(channel)
    fail_at_once(Task.objects.filter(pk=failed.pk))
    owned = make_chain(channel, tasks=1)
    take(make_agent(f"{name}-late", subscriptions=(channel.name,)), channel)
    chains.detach(owned.pk, owner_id=None, by="tests")
    job = make_job(tasks=1)
    [held_by_spot] = Task.objects.filter(job=job)
    Task.objects.filter(pk=held_by_spot.pk).update(channel=channel)
    take(spot, channel)
    request = CommandRequest(name="build", job_command="make", queue_name=f"queue-{name}")
    command, _ = command_transitions.submit(request, by=ADMINISTRATOR)
    chain, task = make_chain(channel, tasks=1), make_task(channel)
    Agent.objects.filter(pk__in=[agent.pk, spot.pk]).update(user=user)
    Job.objects.filter(pk__in=[job.pk, command.pk]).update(user=user)
    Task.objects.filter(Q(channel=channel) | Q(job=job)).update(user=user)
    Chain.objects.filter(channel=channel).update(user=user)
    return Things(
        channel=channel,
        chain=fresh(chain),
        task=fresh(task),
        held=fresh(held),
        locked=Task.objects.get(chain=owned),
        failed=fresh(failed),
        job=fresh(job),
        command=fresh(command.job),
        agent=fresh(agent),
        spot=fresh(spot),
        held_by_spot=fresh(held_by_spot),
        token=issue(f"of {name}", user=user).token,
        key=make_key(name=f"key of {name}"),
        use=OperatorAction.objects.create(
            actor=name, verb="drain", kind="agent", object_id=agent.pk, reason="a test"
        ),
    )


def requests_for(things: Things) -> dict[str, tuple[str, object]]:
    """For each operation of the schema a path and a body that are about these things."""
    t = things
    channel, agent, spot = str(t.channel.pk), t.agent.pk, t.spot.pk
    task, held, failed = str(t.task.pk), str(t.held.pk), str(t.failed.pk)
    chain, job = f"/v1/chains/{t.chain.pk}", f"/api/v1/jobs/{t.job.public_id}"
    command = f"/api/v1/jobs/{t.command.public_id}"
    of_agent = f"/v1/agents/{quote(agent, safe='')}"
    by_spot = f"/internal/v1/tasks/{t.held_by_spot.pk}"
    claim = {"agent_id": agent, "channel_id": channel}
    reports = {"agent_id": agent, "task_id": held}
    entries = [{"at": "2026-01-31T12:00:00Z", "message": "x"}]
    log = {"lease_epoch": 1, "stream": "stdout", "sequence": 1, "entries": entries}
    by_worker = {"jobId": held, "workerId": agent}
    letters = {"ids": [failed], "reason": "a test"}
    return {
        "GET /health": ("/health", None),
        "GET /health/details": ("/health/details", None),
        "GET /livez": ("/livez", None),
        "GET /readyz": ("/readyz", None),
        "GET /metrics": ("/metrics", None),
        "GET /api/metrics/summary": ("/api/metrics/summary", None),
        "GET /api/metrics/health": ("/api/metrics/health", None),
        "GET /api/metrics/routing": ("/api/metrics/routing?service=chat", None),
        "GET /api/search/docs": (f"/api/search/docs?q={t.task.title}", None),
        "GET /api/search/code": ("/api/search/code?q=claim", None),
        "GET /api/v1/health": ("/api/v1/health", None),
        "GET /api/health": ("/api/health", None),
        "POST /v1/auth/register": ("/v1/auth/register", {}),
        "POST /v1/auth/login": ("/v1/auth/login", {}),
        "GET /v1/auth/verify": ("/v1/auth/verify", None),
        "POST /v1/auth/agent-token": ("/v1/auth/agent-token", {}),
        "GET /api/v1/tokens": ("/api/v1/tokens", None),
        "POST /api/v1/tokens": (
            "/api/v1/tokens",
            {"name": "new", "user_id": str(t.token.user_id)},
        ),
        "DELETE /api/v1/tokens/{token_id}": (f"/api/v1/tokens/{t.token.pk}", None),
        "GET /v1/channels": ("/v1/channels", None),
        "POST /v1/channels": ("/v1/channels", {"name": "new"}),
        "GET /v1/channels/by-name/{name}": (
            f"/v1/channels/by-name/{quote(t.channel.name)}",
            None,
        ),
        "POST /v1/channels/{channel_id}/pause": (f"/v1/channels/{channel}/pause", {}),
        "POST /v1/channels/{channel_id}/resume": (f"/v1/channels/{channel}/resume", {}),
        "GET /v1/tasks": ("/v1/tasks", None),
        "POST /v1/tasks": ("/v1/tasks", {"title": "new", "channel_id": channel}),
        "GET /v1/tasks/{task_id}": (f"/v1/tasks/{task}", None),
        "GET /v1/tasks/{task_id}/why": (f"/v1/tasks/{task}/why", None),
        "POST /v1/tasks/{task_id}/cancel": (f"/v1/tasks/{task}/cancel", {}),
        "POST /v1/tasks/{task_id}/requeue": (f"/v1/tasks/{failed}/requeue", {}),
        "POST /v1/tasks/{task_id}/status": (
            f"/v1/tasks/{t.locked.pk}/status",
            {"status": "done"},
        ),
        "POST /v1/tasks/{task_id}/release": (f"/v1/tasks/{held}/release", reports),
        "POST /v1/tasks/{task_id}/renew": (f"/v1/tasks/{held}/renew", reports),
        "GET /v1/tasks/{task_id}/logs": (f"/v1/tasks/{held}/logs", None),
        "POST /v1/tasks/{task_id}/logs": (f"/v1/tasks/{held}/logs", reports | log),
        "GET /v1/tasks/{task_id}/artifacts": (f"/v1/tasks/{held}/artifacts", None),
        "GET /v1/tasks/{task_id}/artifacts.zip": (f"/v1/tasks/{held}/artifacts.zip", None),
        "GET /v1/tasks/{task_id}/artifacts/{path}": (f"/v1/tasks/{held}/artifacts/a", None),
        # It has no digest: the answer comes after the permissions.
        "PUT /v1/tasks/{task_id}/artifacts/{path}": (
            f"/v1/tasks/{held}/artifacts/a?{urlencode({'agent_id': agent, 'lease_epoch': 1})}",
            None,
        ),
        "POST /v1/tasks/{task_id}/secrets": (f"/v1/tasks/{held}/secrets", reports),
        "POST /v1/tasks/{task_id}/exit": (
            f"/v1/tasks/{held}/exit",
            {**reports, "lease_epoch": 1, "status": "failed"},
        ),
        "POST /v1/tasks/assign": ("/v1/tasks/assign", {"task_id": task, "agent_id": agent}),
        "POST /v1/tasks/claim": ("/v1/tasks/claim", {**claim, "max_tasks": 1}),
        # The answer comes after the permissions; a claim that waits uses other connections.
        "POST /v1/tasks/claim/wait": ("/v1/tasks/claim?wait_seconds=100", claim),
        "POST /v1/tasks/complete": ("/v1/tasks/complete", reports),
        "POST /v1/tasks/fail": ("/v1/tasks/fail", reports),
        "POST /v1/tasks/report": (
            "/v1/tasks/report",
            {"agent_id": agent, "claim": {"channel_id": channel}},
        ),
        "POST /v1/tasks/inputs": (
            "/v1/tasks/inputs",
            {"task_id": held, "agent_id": agent, "text": "yes"},
        ),
        "POST /v1/tasks/inputs/claim": ("/v1/tasks/inputs/claim", reports),
        "GET /v1/dead-letters": ("/v1/dead-letters", None),
        "POST /v1/dead-letters/requeue": ("/v1/dead-letters/requeue", letters),
        "POST /v1/dead-letters/purge": ("/v1/dead-letters/purge", letters),
        "GET /v1/chains": ("/v1/chains", None),
        "POST /v1/chains": ("/v1/chains", {"name": "new", "channel_id": channel}),
        "GET /v1/chains/{chain_id}": (chain, None),
        "PUT /v1/chains/{chain_id}": (chain, {"name": "renamed"}),
        "DELETE /v1/chains/{chain_id}": (chain, None),
        "POST /v1/chains/{chain_id}/assign-agent": (
            f"{chain}/assign-agent",
            {"agent_id": agent},
        ),
        "POST /v1/chains/{chain_id}/detach": (f"{chain}/detach", {"agent_id": agent}),
        "GET /v1/agents": ("/v1/agents", None),
        "GET /v1/agents/{agent_id}": (of_agent, None),
        "GET /v1/agents/{agent_id}/chain": (f"{of_agent}/chain", None),
        "GET /v1/agents/{agent_id}/current-task": (f"{of_agent}/current-task", None),
        "PATCH /v1/agents/{agent_id}/channels": (f"{of_agent}/channels", {"subscriptions": []}),
        "POST /v1/agents/{agent_id}/drain": (f"{of_agent}/drain", {}),
        "POST /v1/agents/{agent_id}/resume": (f"{of_agent}/resume", {}),
        "POST /v1/agents/{agent_id}/retire": (f"{of_agent}/retire", {}),
        "POST /v1/agents/heartbeat": ("/v1/agents/heartbeat", {"agent_id": agent}),
        "GET /v1/agents/heartbeat": ("/v1/agents/heartbeat", None),
        "POST /v1/agents/request-session": (
            "/v1/agents/request-session",
            {"channel_id": channel},
        ),
        "GET /v1/agents/request-session": ("/v1/agents/request-session", None),
        "GET /v1/notifications": ("/v1/notifications", None),
        "POST /v1/notifications/dismiss": (
            "/v1/notifications/dismiss",
            {"agent_id": agent, "type": NotificationType.values[0]},
        ),
        "GET /v1/events": ("/v1/events", None),
        "POST /v1/events": ("/v1/events", {"agent_id": agent, "type": "new"}),
        "GET /v1/dashboard": ("/v1/dashboard", None),
        "GET /v1/stream": ("/v1/stream", None),
        "GET /api/v1/jobs": ("/api/v1/jobs", None),
        "POST /api/v1/jobs": ("/api/v1/jobs", ranges()),
        "GET /api/v1/jobs/{job_id}": (job, None),
        "GET /api/v1/jobs/{job_id}/best": (f"{job}/best", None),
        "GET /api/v1/jobs/{job_id}/results": (f"{job}/results", None),
        "GET /api/v1/jobs/{job_id}/statistics": (f"{job}/statistics", None),
        "POST /api/v1/jobs/{job_id}/cancel": (f"{job}/cancel", {}),
        "PUT /api/v1/jobs/{job_id}/cancel": (f"{job}/cancel", {}),
        "POST /api/v1/jobs/{job_id}/retry": (f"{job}/retry", {}),
        "POST /api/v1/jobs/{job_id}/kill": (f"{job}/kill", {}),
        "DELETE /api/v1/jobs/{job_id}": (job, None),
        "GET /api/v1/queues": ("/api/v1/queues", None),
        "GET /api/v1/jobs/{job_id}/logs": (f"{command}/logs", None),
        "GET /api/v1/jobs/{job_id}/artifacts": (f"{command}/artifacts", None),
        "GET /api/v1/jobs/{job_id}/artifacts.zip": (f"{command}/artifacts.zip", None),
        "GET /api/v1/jobs/{job_id}/artifacts/{path}": (f"{command}/artifacts/a", None),
        "GET /api/v1/parameter-schema": ("/api/v1/parameter-schema", None),
        "GET /api/v1/spots": ("/api/v1/spots", None),
        "POST /internal/v1/hello": ("/internal/v1/hello", {"spotId": spot}),
        "POST /internal/v1/heartbeat": (
            "/internal/v1/heartbeat",
            {"spotId": spot, "cpuLoad": 1, "runningTasks": 0, "totalCores": 1},
        ),
        "POST /internal/v1/tasks/claim": ("/internal/v1/tasks/claim", {"spotId": spot}),
        "POST /internal/v1/tasks/{task_id}/complete": (
            f"{by_spot}/complete",
            {"spotId": spot, "bestParams": [], "fopt": 1},
        ),
        "POST /internal/v1/tasks/{task_id}/fail": (f"{by_spot}/fail", {"spotId": spot}),
        "POST /internal/v1/tasks/{task_id}/release": (f"{by_spot}/release", {"spotId": spot}),
        "GET /api/collab/health": ("/api/collab/health", None),
        "GET /api/collab/job/{job_id}": (f"/api/collab/job/{task}", None),
        "GET /api/collab/job/{job_id}/summary": (f"/api/collab/job/{task}/summary", None),
        "GET /api/collab/jobs/recent": ("/api/collab/jobs/recent", None),
        "GET /api/collab/artifacts/by-job/{job_id}": (
            f"/api/collab/artifacts/by-job/{task}",
            None,
        ),
        "GET /api/collab/events/by-job/{job_id}": (f"/api/collab/events/by-job/{task}", None),
        "GET /api/collab/metrics/overview": ("/api/collab/metrics/overview", None),
        "GET /api/collab/events/stream": ("/api/collab/events/stream", None),
        "GET /functions/v1/job-events": (f"/functions/v1/job-events?id={task}", None),
        "GET /api/collab/workers/active": ("/api/collab/workers/active", None),
        "POST /api/collab/workers/heartbeat": (
            "/api/collab/workers/heartbeat",
            {"agentId": agent, "executorId": t.channel.name, "status": "idle"},
        ),
        "POST /api/collab/task.assign": (
            "/api/collab/task.assign",
            {"type": "build", "executorId": t.channel.name},
        ),
        "POST /api/collab/task.claim": (
            "/api/collab/task.claim",
            {"executorId": t.channel.name, "workerId": agent},
        ),
        **{
            f"POST /api/collab/task.{verb}": (f"/api/collab/task.{verb}", by_worker)
            for verb in ("start", "renew", "progress", "release")
        },
        "POST /api/collab/task.result": (
            "/api/collab/task.result",
            {**by_worker, "type": "build", "ok": True},
        ),
        "POST /api/collab/task.cancel": ("/api/collab/task.cancel", {"jobId": task}),
        **{
            f"GET /functions/v1/{name}": (f"/functions/v1/{name}{query}", None)
            for name, query in {
                "metrics-overview": "",
                "jobs-recent": "",
                "workers-active": "",
                "dlq-list": "",
                "leases-release": "",
                "job-status": f"?id={task}",
                "artifacts-list": f"?jobId={task}",
                "sign-artifact": f"?bucket=artifacts&path={task}/a",
            }.items()
        },
        "POST /functions/v1/router-select": ("/functions/v1/router-select", {}),
        "POST /functions/v1/leases-release": ("/functions/v1/leases-release", {}),
        "POST /functions/v1/dlq-retry": (
            "/functions/v1/dlq-retry",
            {"dlqId": DeadLetter.objects.get(task=t.failed).pk},
        ),
        "POST /functions/v1/key-vault/upsert": (
            "/functions/v1/key-vault/upsert",
            {"provider": "openai", "value": "a secret"},
        ),
        "GET /functions/v1/key-vault/get": (
            f"/functions/v1/key-vault/get?name={quote(t.key.name)}",
            None,
        ),
        "POST /functions/v1/key-vault/get": (
            "/functions/v1/key-vault/get",
            {"name": t.key.name},
        ),
        "POST /functions/v1/key-vault/rotate": (
            "/functions/v1/key-vault/rotate",
            {"key_id": str(t.key.pk)},
        ),
        "POST /functions/v1/key-vault/revoke": (
            "/functions/v1/key-vault/revoke",
            {"key_id": str(t.key.pk), "reason": "a test"},
        ),
        "GET /files/{bucket}/{path}": (
            signing.signed_path("artifacts", f"{task}/a", seconds=60),
            None,
        ),
        "GET /console/overview": ("/console/overview", None),
        "GET /console/board": (f"/console/board?channel={channel}", None),
        "GET /console/tasks": (f"/console/tasks?ids={task}", None),
        "GET /console/chains/{chain_id}": (f"/console/chains/{t.chain.pk}", None),
        "GET /console/chains/{chain_id}/tasks": (f"/console/chains/{t.chain.pk}/tasks", None),
        "GET /console/jobs": ("/console/jobs", None),
        "GET /console/jobs/{job_id}/plot": (f"/console/jobs/{t.job.public_id}/plot", None),
        "GET /console/tasks/{task_id}/surroundings": (f"/console/tasks/{task}/surroundings", None),
        "GET /console/agents/{agent_id}/work": (f"/console/agents/{t.agent.pk}/work", None),
        "GET /console/find": ("/console/find?text=a", None),
        "GET /console/usage": ("/console/usage", None),
        "GET /console/series": ("/console/series?range=7d", None),
        "POST /console/attention/dismiss": ("/console/attention/dismiss", {"key": "no_such"}),
        "GET /console/tables/tasks": ("/console/tables/tasks", None),
        "GET /console/tables/tasks/ids": ("/console/tables/tasks/ids", None),
        "GET /console/tables/agents": ("/console/tables/agents", None),
        "GET /console/tables/dead-letters": ("/console/tables/dead-letters", None),
        "GET /console/tables/dead-letters/rows": ("/console/tables/dead-letters/rows", None),
        "GET /console/tables/dead-letters/ids": ("/console/tables/dead-letters/ids", None),
        "GET /console/tables/jobs": ("/console/tables/jobs", None),
        "GET /console/tables/actions": ("/console/tables/actions", None),
        "GET /console/tables/actions/{use_id}": (f"/console/tables/actions/{t.use.pk}", None),
        "GET /console/verbs": ("/console/verbs", None),
        "GET /console/changes": ("/console/changes", None),
        "GET /console/stream": ("/console/stream", None),
        "POST /console/{kind}/{name}": (
            "/console/tasks/cancel",
            {"ids": [task], "reason": "a test"},
        ),
    }


class World:
    """Two users with their things, and everybody who may come."""

    def __init__(self) -> None:
        self.user = make_person("User")
        self.other = User.objects.create_user("other")
        self.other.groups.set(self.user.groups.all())
        self.own, self.others = things_of(self.user), things_of(self.other)
        own, others = self.own.channel.name, self.others.channel.name
        self.clients = {
            "anonymous": Client(),
            "user": client_of(issue("of the user", user=self.user, role="user").secret),
            **{f"token: {role}": of_role(role) for role in ("support", "operator", "admin")},
            "agent: own channel": of_agent(self.own, own, CHANNEL),
            "agent: another channel": of_agent(self.own, others),
            "agent: another agent": of_agent(self.others, own, CHANNEL),
            "agent key": Client(headers={"x-orhestra-key": KEY}),
            "session: no group": browser_of(""),
            **{
                f"session: {group}": browser_of(group.capitalize())
                for group in ("user", "viewer", "operator", "admin")
            },
            "protected mode: here": Client(),
            "protected mode: elsewhere": Client(REMOTE_ADDR=ELSEWHERE),
        }

    def ask(self, operation: str, who: str) -> HttpResponse:
        """What this caller is answered; nothing stays changed."""
        things = self.own if who.startswith("agent: ") or who == "user: own" else self.others
        path, body = requests_for(things)[operation]
        client = self.clients["user" if who.startswith("user: ") else who]
        key = KEY if who == "agent key" else ""
        with transaction.atomic(), override_settings(ORHESTRA_AGENT_KEY=key):
            if who.startswith("protected mode"):
                ApiToken.objects.all().delete()
            recognition.forget()
            answer = client.generic(
                operation.partition(" ")[0],
                path,
                json.dumps(body or {}),
                content_type="application/json",
            )
            transaction.set_rollback(True)
        return answer


def of_role(role: str) -> Client:
    person = make_person("Viewer" if role == "support" else role.capitalize())
    return client_of(issue(role, user=person, role=role).secret)


def of_agent(things: Things, *channels: str) -> Client:
    """A client with a token of the agent and of the SPOT of these things."""
    prefix = things.agent.pk.removesuffix("agent")
    issued = issue("of agents", agent=prefix, agent_is_prefix=True, channels=channels)
    return client_of(issued.secret)
