"""A TCP proxy before the database whose connections can be delayed, held and cut."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

CHUNK = 65_536


class Proxy:
    """Passes connections on to the port that `upstream` names, in a thread of its own.

    What is held is kept and goes on when the hold ends, as the network does it: neither end is
    told.
    """

    def __init__(self, upstream: Callable[[], int]) -> None:
        self.upstream = upstream
        self.delay = 0.0
        self.refuses = False
        self.loop = asyncio.new_event_loop()
        self.open = asyncio.Event()
        self.open.set()
        self.writers: set[asyncio.StreamWriter] = set()
        self.passing: set[asyncio.Task[None]] = set()
        self.port = 0
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=[started], daemon=True)
        self.thread.start()
        started.wait()

    def hold(self) -> None:
        """From now on nothing comes through, in neither direction, and nobody is told."""
        self.loop.call_soon_threadsafe(self.open.clear)

    def refuse(self) -> None:
        """End all connections, and every new one, until `heal`."""
        self.refuses = True
        self.cut()

    def cut(self) -> None:
        """End all connections; new ones are served."""
        self.loop.call_soon_threadsafe(self._cut)

    def heal(self) -> None:
        """Pass everything on again, what was held too."""
        self.delay, self.refuses = 0.0, False
        self.loop.call_soon_threadsafe(self.open.set)

    def stop(self) -> None:
        self.heal()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def _run(self, started: threading.Event) -> None:
        server = self.loop.run_until_complete(asyncio.start_server(self._pass, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()
        server.close()
        self._cut()
        self.loop.run_until_complete(self._end())
        self.loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        theirs = None
        try:
            await self.open.wait()
            if self.refuses:
                return
            source, theirs = await asyncio.open_connection("127.0.0.1", self.upstream())
            self.writers.add(theirs)
            ways = {
                asyncio.create_task(self._pump(reader, theirs)),
                asyncio.create_task(self._pump(source, writer)),
            }
            # An end that closes is closed to the other as well.
            _, others = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in others:
                way.cancel()
        except (OSError, LookupError, ValueError):
            pass  # the database is away: as if it refused
        finally:
            for one in (writer, theirs):
                if one is not None:
                    self.writers.discard(one)
                    one.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self.open.wait()
                writer.write(data)
                await writer.drain()
