"""Many open dashboards in one lean process of their own, which takes commands from a pipe."""

import multiprocessing
import resource
import select
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.coordinator import CoordinatorFailed
from benchmarks.dashboards.delivery import Delivery, judge
from benchmarks.dashboards.page import DashboardPage

SPAWN = multiprocessing.get_context("spawn")
AT_ONCE = 50  # connections that are opened before their greetings are read
PATIENCE = 60.0
FILES_BESIDE = 100


@dataclass(frozen=True)
class OpenPages:
    """Have so many pages open, each greeted."""

    pages: int


@dataclass(frozen=True)
class ReconnectPages:
    """Every page connects anew once: the first after so many seconds, the last `over` later."""

    after: float
    over: float


@dataclass(frozen=True)
class JudgePages:
    """Wait until all pages have come as far as the last of these events, and close them."""

    journal: Collection[int]
    within: float


Command = OpenPages | ReconnectPages | JudgePages


class Crowd:
    """The pages, in the process of their own."""

    def __init__(self, port: int, commands: Connection) -> None:
        self.port = port
        self.commands = commands
        self.pages: dict[int, DashboardPage] = {}
        self.waiting = select.epoll()
        self.waiting.register(commands.fileno(), select.EPOLLIN)
        self.due: list[tuple[float, DashboardPage]] = []  # the next last

    def serve(self) -> None:
        """Carry out commands until the other end of the pipe is closed."""
        while True:
            try:
                self.turn(PATIENCE)
                if self.commands.poll():
                    self.commands.send(self.carry_out(self.commands.recv()))
            except EOFError:
                return
            except (CoordinatorFailed, OSError) as problem:
                self.commands.send(CoordinatorFailed(str(problem)))
                return

    def turn(self, seconds: float) -> None:
        """Read what has arrived, or wait for it; pages whose time has come connect anew."""
        if self.due:
            seconds = min(seconds, max(0.0, self.due[-1][0] - time.monotonic()))
        for number, _ in self.waiting.poll(seconds):
            if number in self.pages:
                self.pages[number].receive()
        while self.due and self.due[-1][0] <= time.monotonic():
            _, page = self.due.pop()
            self._drop(page)
            page.connect()
            self._add(page)

    def carry_out(self, command: Command) -> Delivery | None:
        if isinstance(command, OpenPages):
            self._open(command.pages)
        elif isinstance(command, ReconnectPages):
            self._plan(command)
        else:
            return self._judge(command)
        return None

    def _open(self, wanted: int) -> None:
        DashboardPage.known.clear()
        for page in list(self.pages.values()):
            self._drop(page)
        while len(self.pages) < wanted:
            for _ in range(min(AT_ONCE, wanted - len(self.pages))):
                self._add(DashboardPage(self.port))
            self._until(self._are_greeted, PATIENCE)
            if not self._are_greeted():
                raise CoordinatorFailed("Dashboards that have connected are not greeted.")

    def _are_greeted(self) -> bool:
        return all(page.is_greeted for page in self.pages.values())

    def _plan(self, command: ReconnectPages) -> None:
        now, pages = time.monotonic() + command.after, list(self.pages.values())
        step = command.over / max(1, len(pages))
        self.due = [(now + place * step, page) for place, page in enumerate(pages)][::-1]

    def _judge(self, command: JudgePages) -> Delivery:
        last = max(command.journal, default=0)
        pages = list(self.pages.values())
        self._until(
            lambda: not self.due and all((page.cursor or 0) >= last for page in pages),
            command.within,
        )
        again = sum(page.again > 0 for page in pages)
        # Counting takes so long that the server would miss the pongs.
        self._open(0)
        return judge([page.received for page in pages], command.journal, again=again)

    def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition() and (left := deadline - time.monotonic()) > 0:
            self.turn(min(left, 0.2))

    def _add(self, page: DashboardPage) -> None:
        self.pages[page.socket.fileno()] = page
        self.waiting.register(page.socket, select.EPOLLIN)

    def _drop(self, page: DashboardPage) -> None:
        self.waiting.unregister(page.socket)
        del self.pages[page.socket.fileno()]
        page.socket.close()


def live(port: int, commands: Connection) -> None:
    """The body of the process."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    Crowd(port, commands).serve()


class Audience:
    """The same, from outside."""

    def __init__(self, pid: int, commands: Connection) -> None:
        self.pid = pid
        self.commands = commands

    def ask(self, command: Command) -> Delivery | None:
        """Send a command; returns when it is done or, for a reconnect, planned."""
        try:
            with suppress(BrokenPipeError):  # the pipe still holds the reason
                self.commands.send(command)
            result: Delivery | CoordinatorFailed | None = self.commands.recv()
        except (EOFError, OSError) as problem:
            raise CoordinatorFailed("The process of the dashboards has ended.") from problem
        if isinstance(result, CoordinatorFailed):
            raise result
        return result

    def open(self, pages: int) -> None:
        self.ask(OpenPages(pages))

    def judge(self, journal: Collection[int], within: float) -> Delivery:
        delivery = self.ask(JudgePages(journal, within))
        if delivery is None:
            raise CoordinatorFailed("The dashboards have not reported what they received.")
        return delivery


@contextmanager
def audience(port: int) -> Iterator[Audience]:
    """A process for dashboards, none of which is open yet, until the block ends."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=live, args=(port, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Audience(process.pid or 0, ours)
    finally:
        ours.close()
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()
