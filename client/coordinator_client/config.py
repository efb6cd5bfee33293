"""Where the coordinator is and with which credential: arguments, environment, file."""

import os
import shlex
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from coordinator_client.errors import Misconfigured

DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Config:
    """An address and a credential; without one only a machine in protected mode is let in."""

    url: str = DEFAULT_URL
    token: str = field(default="", repr=False)


def load(
    url: str | None = None, token: str | None = None, environ: Mapping[str, str] = os.environ
) -> Config:
    """Arguments win over the environment, the environment over the file."""
    from_file = read(file_path(environ))
    found = Config(
        url=url or environ.get("COORDINATOR_URL") or from_file.get("url") or DEFAULT_URL,
        token=token or environ.get("COORDINATOR_TOKEN") or from_file.get("token") or "",
    )
    check(found)
    return found


def file_path(environ: Mapping[str, str] = os.environ) -> Path:
    return base("XDG_CONFIG_HOME", ".config", environ) / "coordinator" / "config.toml"


def state_path(environ: Mapping[str, str] = os.environ) -> Path:
    return base("XDG_STATE_HOME", ".local/state", environ) / "coordinator"


def base(name: str, default: str, environ: Mapping[str, str]) -> Path:
    given = Path(environ.get(name) or "")
    return given if given.is_absolute() else Path.home() / default


def read(path: Path) -> Mapping[str, str]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from error
    if "token" in content and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Misconfigured(
            f"{path} holds a token, and others may read or change it: "
            f"run chmod 600 {shlex.quote(str(path))}"
        )
    if unknown := content.keys() - {"url", "token"}:
        raise Misconfigured(f"{path} has unknown names: {', '.join(sorted(unknown))}")
    return {name: text(path, name, value) for name, value in content.items()}


def text(path: Path, name: str, value: object) -> str:
    if not isinstance(value, str):
        raise Misconfigured(f"{path}: {name} must be a text")
    return value


def check(config: Config) -> None:
    if "@" in config.url:
        raise Misconfigured("the address must have no name and password; use COORDINATOR_TOKEN")
    try:
        url = httpx2.URL(config.url)
    except httpx2.InvalidURL as error:
        raise Misconfigured(f"the address {config.url!r} is none: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise Misconfigured(f"the address must be http:// or https:// and a host: {config.url!r}")
    if not config.token.isprintable() or not config.token.isascii():
        raise Misconfigured("the token has characters that no token has")
