"""Many open dashboards in one lean process of their own, told by a pipe what to do."""

import multiprocessing
import resource
import select
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.coordinator import CoordinatorFailed
from benchmarks.dashboards.page import Page
from benchmarks.dashboards.told import Told, judge

SPAWN = multiprocessing.get_context("spawn")
AT_ONCE = 50  # connections that are opened before their greetings are read
PATIENCE = 60.0
FILES_BESIDE = 100


@dataclass(frozen=True)
class Open:
    """Have so many pages open, each greeted."""

    pages: int


@dataclass(frozen=True)
class Reconnect:
    """Every page connects anew once: the first after so many seconds, the last `over` later."""

    after: float
    over: float


@dataclass(frozen=True)
class Judge:
    """Wait until all pages have come as far as the last of these events, and close them."""

    journal: Collection[int]
    within: float


Wish = Open | Reconnect | Judge


class Crowd:
    """The pages, in the process of their own."""

    def __init__(self, port: int, wishes: Connection) -> None:
        self.port = port
        self.wishes = wishes
        self.pages: dict[int, Page] = {}
        self.waiting = select.epoll()
        self.waiting.register(wishes.fileno(), select.EPOLLIN)
        self.due: list[tuple[float, Page]] = []  # the next last

    def serve(self) -> None:
        """Do what is wished until nobody is there to wish."""
        while True:
            try:
                self.turn(PATIENCE)
                if self.wishes.poll():
                    self.wishes.send(self.grant(self.wishes.recv()))
            except EOFError:
                return
            except (CoordinatorFailed, OSError) as problem:
                self.wishes.send(CoordinatorFailed(str(problem)))
                return

    def turn(self, seconds: float) -> None:
        """Read what has come, or wait for it; pages whose time has come connect anew."""
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

    def grant(self, wish: Wish) -> Told | None:
        if isinstance(wish, Open):
            self._open(wish.pages)
        elif isinstance(wish, Reconnect):
            self._plan(wish)
        else:
            return self._judge(wish)
        return None

    def _open(self, wanted: int) -> None:
        Page.known.clear()
        for page in list(self.pages.values()):
            self._drop(page)
        while len(self.pages) < wanted:
            for _ in range(min(AT_ONCE, wanted - len(self.pages))):
                self._add(Page(self.port))
            self._until(self._are_greeted, PATIENCE)
            if not self._are_greeted():
                raise CoordinatorFailed("Dashboards that have connected are not greeted.")

    def _are_greeted(self) -> bool:
        return all(page.is_greeted for page in self.pages.values())

    def _plan(self, wish: Reconnect) -> None:
        now, pages = time.monotonic() + wish.after, list(self.pages.values())
        step = wish.over / max(1, len(pages))
        self.due = [(now + place * step, page) for place, page in enumerate(pages)][::-1]

    def _judge(self, wish: Judge) -> Told:
        last = max(wish.journal, default=0)
        pages = list(self.pages.values())
        self._until(
            lambda: not self.due and all((page.cursor or 0) >= last for page in pages), wish.within
        )
        again = sum(page.again > 0 for page in pages)
        # Counting takes so long that the server would miss the answers to its pings.
        self._open(0)
        return judge([page.told for page in pages], wish.journal, again=again)

    def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition() and (left := deadline - time.monotonic()) > 0:
            self.turn(min(left, 0.2))

    def _add(self, page: Page) -> None:
        self.pages[page.socket.fileno()] = page
        self.waiting.register(page.socket, select.EPOLLIN)

    def _drop(self, page: Page) -> None:
        self.waiting.unregister(page.socket)
        del self.pages[page.socket.fileno()]
        page.socket.close()


def live(port: int, wishes: Connection) -> None:
    """The body of the process."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    Crowd(port, wishes).serve()


class Audience:
    """The same, from outside."""

    def __init__(self, pid: int, wishes: Connection) -> None:
        self.pid = pid
        self.wishes = wishes

    def ask(self, wish: Wish) -> Told | None:
        """Say what they should do; comes back when it is done or, for a reconnect, planned."""
        try:
            with suppress(BrokenPipeError):  # what went wrong there was said before
                self.wishes.send(wish)
            answer: Told | CoordinatorFailed | None = self.wishes.recv()
        except (EOFError, OSError) as problem:
            raise CoordinatorFailed("The process of the dashboards has ended.") from problem
        if isinstance(answer, CoordinatorFailed):
            raise answer
        return answer

    def open(self, pages: int) -> None:
        self.ask(Open(pages))

    def judge(self, journal: Collection[int], within: float) -> Told:
        told = self.ask(Judge(journal, within))
        if told is None:
            raise CoordinatorFailed("The dashboards do not say what they were told.")
        return told


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
