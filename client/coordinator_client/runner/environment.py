"""The environment of a command: little of the runner's own, and never its token."""

import os
import re
from collections.abc import Mapping

from coordinator_client.runner.command import NAME, BadCommand
from coordinator_client.runner.workspace import Workspace

# What a program needs to find others and to write text; nothing that lets anybody in.
INHERITED = ("PATH", "LANG", "LANGUAGE", "TZ", "TERM", "USER", "LOGNAME", "SHELL")
INHERITED_BEGINNINGS = ("LC_",)
# A checkout is the runner's own doing: it may use the keys and the proxies of its user.
FOR_CHECKOUT = {
    *("HOME", "SSH_AUTH_SOCK", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
}
LARGEST_FILE = 1024 * 1024
PATH = "/usr/local/bin:/usr/bin:/bin"
FILE = re.compile(r"(?:\./|/)?job/(.+)")


def minimal(own: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a command has of the runner's environment."""
    found = {n: v for n, v in own.items() if n in INHERITED or n.startswith(INHERITED_BEGINNINGS)}
    return {"PATH": PATH, **found}


def for_checkout(own: Mapping[str, str] = os.environ) -> dict[str, str]:
    return minimal(own) | {name: own[name] for name in FOR_CHECKOUT if name in own}


def without_credentials(own: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The runner's environment for programs that are its own, as those for containers."""
    return {name: value for name, value in own.items() if name != "COORDINATOR_TOKEN"}


def from_file(workspace: Workspace, path: str) -> dict[str, str]:
    """The variables of a file of the source, named as `./job/…`."""
    if not path:
        return {}
    found = FILE.fullmatch(path)
    if not found:
        raise BadCommand(f"job_env_file must begin with ./job/, not {path!r}")
    place = workspace.place(found[1])
    try:
        with place.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise BadCommand(f"job_env_file {path} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_FILE:
        raise BadCommand(f"job_env_file {path} is too large")
    return parsed(path, content.decode(errors="replace"))


def parsed(path: str, text: str) -> dict[str, str]:
    """Lines of NAME=VALUE; empty ones and those that begin with # do not count."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or not NAME.fullmatch(name.strip()) or "\0" in value:
            raise BadCommand(f"{path}, line {number}: NAME=VALUE is missing")
        found[name.strip()] = unquoted(value.strip())
    return found


def unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value
