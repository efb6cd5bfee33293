"""What the coordinator answers, as dataclasses. `raw` is the answer as it came."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from coordinator_client.values import JSON, Object

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Something that an answer shows."""

    raw: Object = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list; `next_cursor` is empty on the last one."""

    items: list[T]
    next_cursor: str = ""
    total: int | None = None


@dataclass(frozen=True, kw_only=True)
class Task(Shown):
    id: str
    status: str
    channel_id: str = ""
    title: str = ""
    type: str = ""
    description: str = ""
    priority: int = 0
    payload: dict[str, JSON] = field(default_factory=dict, repr=False)
    result: JSON = None
    lease_epoch: int = 0
    lease_token: str = field(default="", repr=False)
    trace: str = ""
    attempts: int = 0
    max_attempts: int = 0
    chain_id: str = ""
    sequence: int | None = None
    job_id: str = ""
    assigned_agent_id: str = ""
    fail_reason: str = ""
    dead_letter: str = ""
    created_at: datetime | None = None
    claimed_at: datetime | None = None
    finished_at: datetime | None = None
    lease_expires_at: datetime | None = None
    cancel_asked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Reason(Shown):
    """A reason why a task does not run."""

    code: str
    text: str = ""
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Why(Shown):
    task_id: str
    status: str
    why: list[Reason] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Renewal(Shown):
    task: Task
    cancel_asked: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict(Shown):
    """What came of one outcome of a report: accepted, already, lost or refused."""

    task_id: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class Reported(Shown):
    outcomes: list[Verdict] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Agent(Shown):
    id: str
    name: str = ""
    status: str = ""
    worker_status: str = ""
    last_seen: datetime | None = None
    draining: bool = False


@dataclass(frozen=True, kw_only=True)
class Beat(Shown):
    """The answer to a heartbeat."""

    renewed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    cancel_asked: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    drain: bool = False
    ignored: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Channel(Shown):
    id: str
    name: str
    description: str = ""
    paused_at: datetime | None = None
    pause_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Chain(Shown):
    id: str
    name: str
    status: str
    channel_id: str = ""
    on_failure: str = ""
    owner_agent_id: str = ""
    description: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Job(Shown):
    """A command."""

    job_id: str
    status: str
    name: str = ""
    description: str = ""
    queue_name: str = ""
    source_type: str = ""
    exit_code: int | None = None
    last_error: str = ""
    commit_sha: str = ""
    worker_id: str = ""
    task_id: str = ""
    parent_job_id: str = ""
    retry_count: int = 0
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in {"completed", "failed", "cancelled", "timeout"}


@dataclass(frozen=True, kw_only=True)
class LogEntry(Shown):
    timestamp: datetime
    stream: str
    message: str = ""
    attempt: int = 0


@dataclass(frozen=True, kw_only=True)
class Artifact(Shown):
    path: str
    size: int = 0
    sha256: str = ""
    content_type: str = ""
    created_at: datetime | None = None
    attempt: int = 0
    lost: bool = False


@dataclass(frozen=True, kw_only=True)
class Queue(Shown):
    """A queue; `desired` is the number of runners that would be busy now."""

    name: str
    waiting: int = 0
    running: int = 0
    runners: int = 0
    desired: int = 0
    more: bool = False
    paused_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Sweep(Shown):
    job_id: str
    status: str = ""
    name: str = ""
    total_tasks: int = 0
    completed_tasks: int = 0
    failed_tasks: int = 0
    running_tasks: int = 0
    pending_tasks: int = 0
    progress: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SweepResults(Shown):
    job_id: str
    total_completed: int = 0
    results: list[dict[str, JSON]] = field(default_factory=list)
    next_cursor: str = ""


@dataclass(frozen=True, kw_only=True)
class Token(Shown):
    token_id: str
    name: str = ""
    token: str = field(default="", repr=False)
    token_prefix: str = ""
    ending: str = ""
    role: str = ""
    agent_id: str = ""
    agent_prefix: str = ""
    scopes: list[str] = field(default_factory=list)
    is_active: bool = True
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
