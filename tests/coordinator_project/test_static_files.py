"""Static files: as they are, or compressed for whoever takes that."""

import gzip
from contextlib import closing
from wsgiref.util import setup_testing_defaults

import pytest

from coordinator_project.static_files import LEAST, StaticFiles

TEXT = "body { color: red; }\n" * LEAST


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "large.css").write_text(TEXT)
    (folder / "small.css").write_text("a {}")
    (folder / "picture.png").write_bytes(b"\x89PNG" * LEAST)
    return folder


def serving(folder, copies):
    found = StaticFiles(lambda environ, start: [b"not a file"], copies)
    found.add_compressed(str(folder), prefix="static/")
    return found


def get(files, name, accepts="gzip, deflate"):
    environ = {"PATH_INFO": f"/static/{name}", "HTTP_ACCEPT_ENCODING": accepts}
    setup_testing_defaults(environ)
    heads = []
    answer = files(environ, lambda status, headers: heads.append((status, dict(headers))))
    with closing(answer):
        body = b"".join(answer)
    [(status, headers)] = heads
    assert status.startswith("200")
    assert len(body) == int(headers["Content-Length"])
    assert headers["X-Content-Type-Options"] == "nosniff"
    return headers, body


def test_a_text_is_compressed_for_whoever_takes_that(folder, tmp_path):
    files = serving(folder, tmp_path / "copies")

    headers, body = get(files, "large.css")
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Vary"] == "Accept-Encoding"
    assert headers["Content-Type"].startswith("text/css")
    assert gzip.decompress(body).decode() == TEXT
    assert len(body) < len(TEXT) / 10
    headers, body = get(files, "large.css", accepts="identity")
    assert "Content-Encoding" not in headers
    assert body.decode() == TEXT


@pytest.mark.parametrize("name", ["small.css", "picture.png"])
def test_what_it_would_not_help_is_sent_as_it_is(folder, tmp_path, name):
    headers, body = get(serving(folder, tmp_path / "copies"), name)

    assert "Content-Encoding" not in headers
    assert body == (folder / name).read_bytes()


def test_a_copy_is_made_once_and_anew_for_another_content(folder, tmp_path):
    copies = tmp_path / "copies"
    serving(folder, copies)
    [first] = copies.iterdir()
    made_at = first.stat().st_mtime_ns
    serving(folder, copies)
    assert first.stat().st_mtime_ns == made_at

    (folder / "large.css").write_text(TEXT.replace("red", "blue"))
    _, body = get(serving(folder, copies), "large.css")

    assert b"blue" in gzip.decompress(body)
    assert len(list(copies.iterdir())) == 2


def test_without_a_place_for_copies_files_are_sent_as_they_are(folder, tmp_path):
    (tmp_path / "in the way").write_text("")

    headers, body = get(serving(folder, tmp_path / "in the way"), "large.css")

    assert "Content-Encoding" not in headers
    assert body.decode() == TEXT
