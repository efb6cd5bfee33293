"""The credential leaves the URL of a repository, whichever form it has."""

import pytest

from tasks.repositories import apart, hidden_in


@pytest.mark.parametrize(
    ("url", "plain", "credential"),
    [
        ("https://host/a.git", "https://host/a.git", ""),
        ("https://user:word@host/a?q#f", "https://host/a?q#f", "user:word"),
        ("https://token@host:8443/a", "https://host:8443/a", "token"),
        ("https://:word@host/a", "https://host/a", ":word"),
        ("https://token:x-oauth-basic@host/a", "https://host/a", "token:x-oauth-basic"),
        ("https://user:w%40rd@host/a", "https://host/a", "user:w%40rd"),
        ("https://user:w@rd@host/a", "https://host/a", "user:w@rd"),
        ("HTTP://user:word@[::1]:80/a", "http://[::1]:80/a", "user:word"),
        ("ssh://git@host/a", "ssh://git@host/a", ""),
        ("ssh://git:word@host/a", "ssh://host/a", "git:word"),
        ("git@host:team/a.git", "git@host:team/a.git", ""),
        ("https://host/@team/a.git", "https://host/@team/a.git", ""),
        ("/srv/a.git", "/srv/a.git", ""),
        ("", "", ""),
    ],
)
def test_a_url_and_its_credential_are_taken_apart(url, plain, credential):
    assert apart(url) == (plain, credential)


@pytest.mark.parametrize(
    "url",
    [
        "user:word@host/a.git",
        "https://user:wo/rd@host/a",
        "https://user:wo#rd@host/a",
        "https://user:12#rd@host/a",
        "https://user:12?rd@host/a",
        "https://[a",
    ],
)
def test_where_the_credential_cannot_be_told_the_url_is_refused(url):
    with pytest.raises(ValueError, match=r"https://|%2F") as caught:
        apart(url)

    assert "rd" not in str(caught.value).replace("word", "")


@pytest.mark.parametrize(
    ("credential", "hidden"),
    [
        ("", set()),
        ("user:w%40rd", {"w%40rd", "w@rd"}),
        ("token", {"token"}),
        ("token:", {"token"}),
        (":word", {"word"}),
        (f"{'t' * 40}:x-oauth-basic", {"t" * 40, "x-oauth-basic"}),
    ],
)
def test_passwords_and_tokens_are_hidden_and_short_names_are_not(credential, hidden):
    assert hidden_in(credential) == hidden
