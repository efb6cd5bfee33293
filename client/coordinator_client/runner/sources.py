"""Where the source comes from: git, a folder of this machine, or nowhere."""

import os
import re
import shutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from coordinator_client.runner.command import BadCommand

PROTOCOLS = {"https", "ssh", "git+ssh"}
SCP_LIKE = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9._-]*:[^:/\\-][^:]*")
REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@#=+-]*")
FETCH = ("--quiet", "--force", "--no-recurse-submodules")
EVERYTHING = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
SHORTEST_TOKEN = 20  # characters of a user that is masked though there is a password
# Gives the credential of the URL to git alone: it is in no argument, file or message.
HELPER = '!f() { echo "username=$GIT_USERNAME"; echo "password=$GIT_PASSWORD"; }; f'


@dataclass(frozen=True)
class Said:
    """What a run of git said, at its end."""

    code: int
    lines: list[str]
    errors: list[str]


Git = Callable[[Sequence[str], dict[str, str], bool], Said]


@dataclass(frozen=True)
class Remote:
    """A repository, with its credential apart."""

    url: str
    protocol: str
    username: str = ""
    password: str = ""

    @property
    def origin(self) -> str:
        """The part of the URL that names the server."""
        return "/".join(self.url.split("/", 3)[:3])

    @property
    def secrets(self) -> list[str]:
        """What must not be shown; a user alone may be a token, and so may a long one."""
        alone = not self.password or len(self.username) >= SHORTEST_TOKEN
        return [value for value in (self.password, self.username if alone else "") if value]


def allowed_roots() -> list[Path]:
    """The folders of this machine that commands may use; none unless they are named."""
    named = os.environ.get("COORDINATOR_ALLOWED_ROOTS", "").split(os.pathsep)
    return [Path(name).resolve() for name in named if name and Path(name).is_absolute()]


def allowed(path: str) -> Path:
    """The folder, with links resolved; raises if it is below no allowed root."""
    if not path or "\0" in path:
        raise BadCommand("the source has no path")
    found = Path(path).resolve()
    if not Path(path).is_absolute() or not any(map(found.is_relative_to, allowed_roots())):
        raise BadCommand(f"{path} is below no folder that this runner allows")
    if not found.is_dir():
        raise BadCommand(f"{path} is not a folder")
    return found


def remote(url: str, credential: str = "") -> Remote:
    """Understand a URL, or raise with what is wrong with it, without its credential."""
    if credential:
        url = url.replace("://", f"://{credential}@", 1)
    here = url.startswith(("/", "file://"))
    if not url or url.startswith("-") or not url.isprintable() or (" " in url and not here):
        raise BadCommand("the URL of the source is not one that git may use")
    if "://" not in url:
        if SCP_LIKE.fullmatch(url):
            return Remote(url, "ssh")
        return Remote(allowed(url).as_uri(), "file")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadCommand("the URL of the source cannot be understood") from None
    if parts.scheme == "file":
        return Remote(allowed(unquote(parts.path)).as_uri(), "file")
    if parts.scheme not in PROTOCOLS:
        raise BadCommand(f"the protocol {parts.scheme} is not allowed, only https and ssh")
    if not host or host.startswith("-") or (parts.username or "").startswith("-"):
        raise BadCommand("the URL of the source has no host")
    if parts.scheme != "https":
        if parts.password:
            raise BadCommand("a password in the URL is for https alone")
        return Remote(url, parts.scheme)
    place = f"[{host}]" if ":" in host else host
    plain = urlunsplit(("https", place + (f":{port}" if port else ""), parts.path, parts.query, ""))
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Remote(plain, "https", user, password)


def check_ref(ref: str) -> None:
    if ref and (not REF.fullmatch(ref) or ".." in ref or "@{" in ref or ref.endswith(".lock")):
        raise BadCommand(f"{ref!r} is not a branch, a tag or a commit")


@dataclass(frozen=True)
class Checkout:
    """Brings a repository into a folder with `git`, which runs the program and gives its output."""

    git: Git
    folder: Path
    remote: Remote
    ref: str

    def run(self) -> str:
        """Check out the wanted ref; the commit that it is."""
        said = self.call("init", "--quiet", "--template=", "--", str(self.folder))
        if said.code != 0:
            raise BadCommand(f"git cannot be used: {' '.join(said.errors[-3:])}")
        if not (self.fetched(self.ref or "HEAD") and self.switched("FETCH_HEAD")):
            self.everything()
        self.call("remote", "add", "--", "origin", self.remote.url)
        return self.commit_of("HEAD")

    def everything(self) -> None:
        """A commit that the server does not give by itself is somewhere in all that it has."""
        said = self.call("fetch", *FETCH, "--tags", "--", self.remote.url, *EVERYTHING)
        if said.code != 0:
            raise BadCommand(f"the source cannot be fetched: {' '.join(said.errors[-3:])}")
        ref = self.ref or "HEAD"
        for name in (f"refs/remotes/origin/{ref}", f"refs/tags/{ref}", ref):
            if self.switched(name):
                return
        raise BadCommand(f"the source has no branch, tag or commit {ref!r}")

    def fetched(self, ref: str) -> bool:
        return self.call("fetch", *FETCH, "--depth=1", "--", self.remote.url, ref).code == 0

    def switched(self, name: str) -> bool:
        commit = self.commit_of(name)
        return bool(commit) and self.call("checkout", "-qf", "--detach", commit).code == 0

    def commit_of(self, name: str) -> str:
        """The commit that this names here; empty if it names none."""
        wanted = ("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        said = self.call("rev-parse", *wanted, shown=False)
        return said.lines[-1].strip() if said.code == 0 and said.lines else ""

    def call(self, verb: str, *arguments: str, shown: bool = True) -> Said:
        inside = () if verb == "init" else ("-C", str(self.folder))
        return self.git(["git", *inside, verb, *arguments], self.environment(), shown)

    def environment(self) -> dict[str, str]:
        found = {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_ALLOW_PROTOCOL": "https:ssh:git+ssh" if self.remote.protocol != "file" else "file",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "core.hooksPath",
            "GIT_CONFIG_VALUE_0": os.devnull,
            "GIT_CONFIG_KEY_1": "advice.detachedHead",
            "GIT_CONFIG_VALUE_1": "false",
        }
        if self.remote.username or self.remote.password:
            found |= {
                "GIT_CONFIG_COUNT": "4",
                "GIT_CONFIG_KEY_2": "credential.helper",  # an empty one forgets those before
                "GIT_CONFIG_VALUE_2": "",
                # For this host alone: a redirect or a repository's own settings lead to others.
                "GIT_CONFIG_KEY_3": f"credential.{self.remote.origin}.helper",
                "GIT_CONFIG_VALUE_3": HELPER,
                "GIT_USERNAME": self.remote.username,
                "GIT_PASSWORD": self.remote.password,
            }
        return found


def copy(source: Path, target: Path, may_go_on: Callable[[], None]) -> None:
    """Copy a folder; links that lead out of it are refused, and what is no file is left out."""
    for place, folders, files in os.walk(source, followlinks=False):
        here = Path(place)
        there = target / here.relative_to(source)
        there.mkdir(parents=True, exist_ok=True)
        for name in [*folders, *files]:
            may_go_on()
            copy_one(source, here / name, there / name)


def copy_one(top: Path, path: Path, target: Path) -> None:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        copy_link(top, path, target)
    elif stat.S_ISREG(mode):
        target.unlink(missing_ok=True)
        copy_file(path, target)


def copy_link(top: Path, path: Path, target: Path) -> None:
    found = path.resolve()
    if not found.is_relative_to(top):
        raise BadCommand(f"{path.relative_to(top)} is a link that leads out of the source")
    target.unlink(missing_ok=True)
    target.symlink_to(os.path.relpath(found, path.parent.resolve()))


def copy_file(path: Path, target: Path) -> None:
    """Opened without following a link, which may have taken its place meanwhile."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with open(descriptor, "rb") as read, target.open("xb") as write:
        shutil.copyfileobj(read, write)
        os.fchmod(write.fileno(), stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o777)
