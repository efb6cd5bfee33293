"""One run: coordinators, members and faults; what became of it is judged in verdict.py."""

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event
from urllib.parse import quote

import psycopg

from chaos import faults, plan
from chaos.agents import BatchAgent, ChainAgent, SingleAgent, WaitingAgent
from chaos.checks import streams_miss_nothing
from chaos.history import History, Tables
from chaos.members import Agent, Member, World
from chaos.people import Operator, Producer
from chaos.plan import Fault
from chaos.proxy import Proxy
from chaos.servers import AGAIN_AFTER, Postgres, Server, StartFailed
from chaos.spots import SpotAgent
from chaos.watchers import HealthWatcher, LoopProber, Prober, StreamWatcher
from chaos.wire import Log, Wire

SPOT_LOST, AGENT_LOST = 10, 15
RULES = {
    "COORDINATOR_SPOT_LOST_SECONDS": str(SPOT_LOST),
    "COORDINATOR_AGENT_LOST_SECONDS": str(AGENT_LOST),
    "COORDINATOR_AGENT_REAPER_SECONDS": "2",
    "COORDINATOR_TASK_REAPER_SECONDS": "2",
    "ORHESTRA_TASK_TIMEOUT_SECONDS": "30",
    "COORDINATOR_PROCESSES": "2",
}
GIVE_UP_AFTER = 60.0  # seconds for everything to be well again, before the next fault comes anyway
CYCLE = 5.0  # seconds that a retry with its pause takes by itself
LEAVE_WITHIN = 10.0
CATCH_UP = 20.0
OPEN = """SELECT count(*) FROM tasks_task
  WHERE status IN ('queued', 'in_progress', 'locked') AND NOT blocked"""


@dataclass(frozen=True)
class Options:
    """What kind of run it is."""

    seconds: float
    seed: int = 1
    kinds: Sequence[str] = plan.KINDS
    longest: float = 20.0  # seconds of a fault
    servers: int = 2
    within: float = 10.0  # seconds in which everything must be well again
    rest: float = 60.0  # seconds at the end in which the open tasks may still be done
    fleet: int = 1  # how many times nine agents
    keep: bool = False  # the data too, when the run is over


@dataclass
class Made:
    """A fault as it was made: how long it took, and after how many seconds all was well again.

    While the second coordinator is broken the first goes on: `served_after` and `led_after` say
    after how many seconds of the fault it served claims, and the loop ran.
    """

    fault: Fault
    at: float
    seconds: float = 0.0
    well_after: float | None = None
    loop_after: float | None = None
    served_after: float | None = None
    led_after: float | None = None
    problem: str = ""


@dataclass
class Run:
    """One run in the folder `folder`; `say` is told what happens."""

    options: Options
    folder: Path
    say: Callable[[str], None]
    made: list[Made] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)  # what nobody did to a coordinator
    left_out: list[str] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    servers: list[Server] = field(default_factory=list)
    open_tasks: int = 0
    ill: list[str] = field(default_factory=list)  # what /health/details said at the end

    def __post_init__(self) -> None:
        self.logs = self.folder / "logs"
        self.logs.mkdir(exist_ok=True)
        self.log = Log(self.folder / "faults.jsonl")
        self.postgres = Postgres(self.folder / "a")

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Coordinators and members, until the block ends; the coordinators outlive the members."""
        with ExitStack() as stack:
            self.hands = self._start(stack)
            self.world = self._found()
            self.members = fleet(self.world, self.options.fleet)
            self.probers = [Prober(self.world, f"probe {s.name}", s.port) for s in self.servers]
            self.loop = LoopProber(self.world, "probe loop", self.servers[0].port)
            self.loop.wire.ports = self.world.ports
            for server in self.servers:
                self.members.append(HealthWatcher(self.world, f"health {server.name}", server.port))
            self.members += [*self.probers, self.loop]
            for member in self.members:
                member.start()
            stack.callback(self._dismiss)
            yield

    def _dismiss(self) -> None:
        self.world.stop.set()
        self.world.unwatched.set()
        for member in self.members:
            member.join(LEAVE_WITHIN)
        self.log.close()

    def _start(self, stack: ExitStack) -> faults.Hands:
        disk = None
        if "disk" in self.options.kinds:
            self.postgres = Postgres(self.folder / "disk" / "a")
            (self.folder / "disk").mkdir(mode=0o711)
            if faults.mount(self.folder / "disk"):
                disk = self.folder / "disk"
                stack.callback(faults.unmount, disk)
                if self.options.keep:
                    stack.callback(self._keep)
            else:
                self.left_out.append("disk: no file system can be mounted here")
        self.token = secrets.token_urlsafe(24)
        settings = {**RULES, "COORDINATOR_AUTH_TOKEN": self.token}
        first = Server("a", self.postgres.folder, self.folder / "a.log", settings)
        self._serve(first, stack)
        proxy = None
        if self.options.servers > 1:
            proxy = Proxy(self.postgres.port)
            stack.callback(proxy.stop)
            settings = settings | {
                "COORDINATOR_DATABASE_URL": self.postgres.url(proxy.port),
                "SECRET_KEY": (first.folder / "secret_key").read_text(),
            }
            second = Server("b", self.folder / "b", self.folder / "b.log", settings)
            self._serve(second, stack)
        return faults.Hands({one.name: one for one in self.servers}, self.postgres, proxy, disk)

    def _keep(self) -> None:
        """Copy what is on the small disk, with owners and modes, to where it stays."""
        copy = ["/bin/cp", "-a", str(self.postgres.folder), str(self.folder)]
        subprocess.run(copy, check=True)  # noqa: S603

    def _serve(self, server: Server, stack: ExitStack) -> None:
        stack.callback(server.stop)
        server.start()
        server.wait_until_serving()
        self.servers.append(server)

    def _found(self) -> World:
        """The world, with its channels."""
        ports = [server.port for server in self.servers]
        wire = Wire(ports, self.token, Log(self.logs / "start.jsonl"), Event())
        names = ["single", "waited-for", "batches", "chains", "sweeps", "probe loop"]
        names += [f"probe {server.name}" for server in self.servers]
        channels = {}
        for name in names:
            wire.post("/v1/channels", {"name": name})
            known = wire.once("GET", f"/v1/channels/by-name/{quote(name)}")
            if known is None or not known.is_good:
                raise StartFailed(f"The channel {name} was not made: {known}")
            channels[name] = str(known.inner("channel")["id"])
        wire.close()
        wire.log.close()
        return World(ports, self.token, self.logs, self.options.seed, channels)

    def break_things(self) -> None:
        """Make one fault after the other, until the time of the run is over."""
        self.log.write("run", **asdict(self.options))
        kinds = [kind for kind in self.options.kinds if kind != "disk" or self.hands.disk]
        options = self.options
        over = time.monotonic() + options.seconds
        self.well(time.time(), GIVE_UP_AFTER)
        for fault in plan.plan(options.seed, kinds, options.longest, options.servers):
            if time.monotonic() + fault.seconds > over:
                break
            self.make(fault)
            self.wait(min(fault.pause, max(0.0, over - time.monotonic())))
        self.wait(max(0.0, over - time.monotonic()))

    def make(self, fault: Fault) -> None:
        """Make a fault, undo it after its time, and wait until all is well again."""
        made = Made(fault, time.time())
        self.made.append(made)
        self.log.write("fault", kind=fault.kind, hits=fault.hits, seconds=fault.seconds)
        try:
            with self.hands.during(fault):
                self._last(made)
        except (faults.FaultFailed, StartFailed, psycopg.Error, OSError, ValueError) as problem:
            made.problem = str(problem).partition("\n")[0]
        ended = time.time()
        made.seconds = ended - made.at
        self.well(ended, GIVE_UP_AFTER, made)
        self.log.write("over", seconds=made.seconds, well=made.well_after, problem=made.problem)
        well = "never" if made.well_after is None else f"{made.well_after:.1f} s"
        self.say(f"{fault}: well after {well} {made.problem}".rstrip())

    def _last(self, made: Made) -> None:
        """Let the fault last, and see who goes on meanwhile."""
        began = time.time()
        while (now := time.time()) < began + made.fault.seconds:
            if made.served_after is None and self.probers[0].well > began:
                made.served_after = now - began
            if made.led_after is None and self.loop.well > began:
                made.led_after = now - began
            self.wait(min(0.1, began + made.fault.seconds - now))

    def well(self, since: float, within: float, made: Made | None = None) -> None:
        """Wait until every coordinator, and the loop, has done something begun after `since`."""
        while time.time() < since + within:
            now = time.time()
            if made and made.well_after is None and all(p.well > since for p in self.probers):
                made.well_after = now - since
            if made and made.loop_after is None and self.loop.well > since:
                made.loop_after = now - since
            if all(prober.well > since for prober in [*self.probers, self.loop]):
                return
            self.wait(0.05)

    def wait(self, seconds: float) -> None:
        """Let time pass, starting coordinators again that ended although nobody killed them."""
        deadline = time.monotonic() + seconds
        while True:
            for server in self.servers:
                code = server.ended()
                if code is not None:
                    self.surprises.append(f"coordinator {server.name} ended with {code}")
                    self.log.write("ended", server=server.name, code=code)
                    time.sleep(AGAIN_AFTER)
                    server.start()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(0.1, left))

    def end(self) -> None:
        """Let the open tasks be done, stop the members, then let the streams catch up."""
        self.world.resting.set()
        self._until(lambda: self.ask(OPEN) == 0, self.options.rest)
        self.open_tasks = self.ask(OPEN)
        self.world.stop.set()
        watchers = [one for one in self.members if isinstance(one, StreamWatcher)]
        for member in self.members:
            if member not in watchers:
                member.join(LEAVE_WITHIN)
        self._until(lambda: self.ask("SELECT 1") == 1, GIVE_UP_AFTER)
        self._until(lambda: not any(streams_miss_nothing(self.history())), CATCH_UP)
        self._until(lambda: self.ask("SELECT count(*) FROM jobs_tally") == 0, CATCH_UP)
        self.world.unwatched.set()
        for watcher in watchers:
            watcher.hang_up()
            watcher.join(LEAVE_WITHIN)
        self.found = self.history()
        self._until(self._is_well, CATCH_UP)

    def _is_well(self) -> bool:
        self.ill.clear()
        for server in self.servers:
            wire = Wire([server.port], self.token, self.log, Event())
            answer = wire.once("GET", "/health/details")
            wire.close()
            if not answer or not answer.is_good:
                self.ill.append(f"coordinator {server.name}: {answer and dict(answer.body)}")
        return not self.ill

    @property
    def server_logs(self) -> list[Path]:
        return [server.log for server in self.servers]

    def history(self) -> History:
        """What is known by now; raises StartFailed where the database does not answer."""
        try:
            with self.postgres.connect() as connection:
                tables = Tables.read(connection)
        except (psycopg.Error, OSError, ValueError) as problem:
            raise StartFailed(f"The database is not there at the end: {problem}") from problem
        agents = [one for one in self.members if isinstance(one, Agent)]
        return History.of(self.logs, tables, {one.name: lost_after(one) for one in agents})

    def _until(self, condition: Callable[[], bool], within: float) -> bool:
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.wait(0.2)
        return True

    def ask(self, question: str) -> int:
        try:
            with self.postgres.connect() as connection:
                row = connection.execute(question).fetchone()
        except (psycopg.Error, OSError, ValueError):
            return -1
        return int(row[0]) if row else 0


def lost_after(agent: Agent) -> float:
    return SPOT_LOST if isinstance(agent, SpotAgent) else AGENT_LOST


def fleet(world: World, size: int) -> list[Member]:
    """Everybody who works, makes work, steers and follows."""
    kinds: list[tuple[type[Agent], int]] = [
        (SingleAgent, 2),
        (WaitingAgent, 2),
        (ChainAgent, 2),
        (BatchAgent, 1),
        (SpotAgent, 2),
    ]
    members: list[Member] = []
    for kind, number in kinds:
        name = kind.__name__.removesuffix("Agent").lower()
        members += [kind(world, f"{name}-{place}") for place in range(number * size)]
    members += [Producer(world, "producer"), Operator(world, "operator")]
    members += [StreamWatcher(world, f"stream-{place}") for place in range(2)]
    return members
