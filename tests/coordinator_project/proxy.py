"""A TCP proxy before the database that can swallow everything, as a broken network does."""

import socket
import threading
from contextlib import contextmanager, suppress


class Proxy:
    def __init__(self, port):
        self.target = port
        self.passing = threading.Event()
        self.passing.set()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self):
        """From now on nothing arrives on either side, and nobody is told."""
        self.passing.clear()

    def heal(self):
        """What was sent meanwhile arrives after all."""
        self.passing.set()

    def close(self):
        self.passing.set()
        for one in (self.listening, *self.sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self.listening.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                self.sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source, sink):
        with suppress(OSError):
            while data := source.recv(65_536):
                self.passing.wait()
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def proxy(port):
    one = Proxy(port)
    try:
        yield one
    finally:
        one.close()
