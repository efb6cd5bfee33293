import socket

import pytest

from benchmarks import over_http
from benchmarks.coordinator import CoordinatorFailed
from benchmarks.over_http import Connection, Held

ANSWER = b'HTTP/1.1 200 OK\r\ncontent-length: 12\r\nx: y\r\n\r\n{"tasks":[]}'


@pytest.fixture
def pair():
    """A connection of the benchmark's client, and the server's end of it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connection = Connection(listening.getsockname()[1])
        server, _ = listening.accept()
    yield connection, server
    connection.close()
    server.close()


def test_an_answer_is_read_whole_however_it_arrives(pair):
    connection, server = pair

    pieces = [ANSWER[:30], ANSWER[30:-3], ANSWER[-3:]]
    got = []
    for piece in pieces:
        server.sendall(piece)
        got.append(connection.receive())

    assert got == [None, None, b'{"tasks":[]}']


def test_an_error_is_not_counted_as_an_answer(pair):
    connection, server = pair
    server.sendall(ANSWER.replace(b"200", b"409"))

    with pytest.raises(CoordinatorFailed, match="409"):
        connection.receive()


def test_a_closed_connection_is_not_an_answer(pair):
    connection, server = pair
    server.close()

    with pytest.raises(CoordinatorFailed, match="closed"):
        connection.receive()


def test_a_claim_that_is_given_less_than_a_batch_ends_the_measurement():
    answer = b'{"tasks":[{"id":"7","lease_epoch":3}]}'

    assert over_http.held(answer, 1) == [Held("7", 3)]
    with pytest.raises(CoordinatorFailed, match="1 tasks instead of 2"):
        over_http.held(answer, 2)


def test_a_report_in_which_an_outcome_is_lost_ends_the_measurement():
    work = over_http.reports("agent", 1)
    next(work)
    work.send(b'{"tasks":[{"id":"7","lease_epoch":3}]}')

    with pytest.raises(CoordinatorFailed, match="Not every outcome"):
        work.send(b'{"outcomes":[{"answer":"lost"}],"tasks":[]}')
