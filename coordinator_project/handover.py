"""Requests for many rows go to a process of their own, with the connections that they came by.

Python runs one thread of a process at a time, so whoever makes a long list slows down all others
there. The other process has a low priority too.
"""

import errno
import socket

from coordinator_project.threads import bulk, is_async, jobs, lane_of

BEGINS = (b"GET /v1/", b"GET /api/", b"POST /v1/dead-letters/", b"POST /api/")
LONGEST = 16 * 1024  # bytes of a request that go with its connection


class Handover:
    """Made before the processes are forked: all have one end, the process for bulk the other."""

    def __init__(self) -> None:
        self.giving, self.taking = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.giving.setblocking(False)
        self.taking.setblocking(False)

    def give(self, descriptor: int, data: bytes) -> bool:
        """Pass on a connection with the request that it has sent; False if that was not possible.

        The caller closes its own descriptor.
        """
        try:
            socket.send_fds(self.giving, [data], [descriptor])
        except OSError:
            return False  # too many wait there, or the process is gone
        return True

    def close(self) -> None:
        """Close both ends of this process; others keep theirs."""
        self.giving.close()
        self.taking.close()


def take(taking: socket.socket) -> tuple[socket.socket, bytes]:
    """The next connection and its request. Raises BlockingIOError where there is none.

    Another OSError: it was dropped, because no more files can be opened here.
    """
    data, descriptors, _, _ = socket.recv_fds(taking, LONGEST, 1)
    if not descriptors:
        raise OSError(errno.EMFILE, "No connection came with the request.")
    connection = socket.socket(fileno=descriptors[0])
    connection.setblocking(False)
    return connection, data


def is_bulk(data: bytes) -> bool:
    """Whether this begins one request, with its whole head, that may concern many rows."""
    if not data.startswith(BEGINS) or len(data) > LONGEST:
        return False
    end = data.find(b"\r\n\r\n")
    method, _, rest = data.partition(b" ")
    # What follows the head of a GET is another request; elsewhere it is the body.
    if end < 0 or (method == b"GET" and end != len(data) - 4):
        return False
    path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
    return not is_async(path) and lane_of(method.decode("latin-1"), path) in {bulk, jobs}
