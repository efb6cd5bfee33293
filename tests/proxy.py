"""A proxy in front of a server, which can stop to pass anything on, as a dead network does."""

import socket
import threading
from contextlib import contextmanager, suppress


class Proxy:
    """Passes connections on; while it is `stopped` it accepts them and keeps all bytes back."""

    def __init__(self, host, port):
        self.there = host, port
        self.flowing = threading.Event()
        self.flowing.set()
        self.open = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.flowing.clear()

    def go_on(self):
        self.flowing.set()

    def cut(self):
        """Drop every connection without another byte."""
        for one in self.open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.go_on()
        self.cut()
        self.listening.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                threading.Thread(target=self._begin, args=[client], daemon=True).start()

    def _begin(self, client):
        self.flowing.wait()
        server = socket.create_connection(self.there)
        self.open += [client, server]
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=[one, other], daemon=True).start()

    def _pass_on(self, one, other):
        with suppress(OSError):
            while data := one.recv(65536):
                self.flowing.wait()
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)


@contextmanager
def proxy(host, port):
    one = Proxy(host, port)
    try:
        yield one
    finally:
        one.close()
