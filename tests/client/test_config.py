"""Where the coordinator is: arguments, then the environment, then the file."""

import pytest

from coordinator_client import Misconfigured, config


@pytest.fixture(autouse=True)
def _no_token(monkeypatch):
    monkeypatch.delenv("COORDINATOR_TOKEN")


def write(text, mode=0o600):
    path = config.file_path()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_arguments_win_over_the_environment_and_that_over_the_file(monkeypatch):
    write('url = "http://file"\ntoken = "of the file"')
    assert config.load() == config.Config("http://file", "of the file")

    monkeypatch.setenv("COORDINATOR_URL", "http://environment")
    assert config.load() == config.Config("http://environment", "of the file")

    monkeypatch.setenv("COORDINATOR_TOKEN", "of the environment")
    assert config.load("http://given") == config.Config("http://given", "of the environment")
    assert config.load(token="given").token == "given"


def test_without_anything_it_is_this_machine():
    assert config.load() == config.Config("http://127.0.0.1:8080", "")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_token_that_others_can_read_is_refused(mode):
    path = write('token = "sesame"', mode)

    with pytest.raises(Misconfigured, match="chmod 600") as caught:
        config.load()

    assert str(path) in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_an_address_alone_is_no_secret():
    write('url = "http://file"', 0o644)

    assert config.load().url == "http://file"


@pytest.mark.parametrize("text", ["url =", "url = 5", 'tokn = "x"'])
def test_a_file_that_makes_no_sense_is_named(text):
    path = write(text)

    with pytest.raises(Misconfigured, match=str(path)):
        config.load()


@pytest.mark.parametrize("url", ["ftp://x", "localhost:8080", "http://", "http://a:b@c"])
def test_other_addresses_are_refused(url):
    with pytest.raises(Misconfigured):
        config.load(url)


def test_a_token_with_a_line_break_is_refused_and_not_shown():
    with pytest.raises(Misconfigured) as caught:
        config.load(token="sesame\nX-Header: 1")

    assert "sesame" not in str(caught.value)
    assert "sesame" not in repr(config.Config(token="sesame"))
