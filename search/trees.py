"""The files of a tree that are indexed: text of known kinds, none that may have secrets in it."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from search.models import Kind

MOST_BYTES = 1024 * 1024  # of a file
MOST_FILES = 200_000  # of a root
DEEPEST = 40

DOCUMENTS = {".md": "markdown", ".rst": "rst", ".txt": "text", ".adoc": "text"}
LANGUAGES = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".jsx": "javascript",
    ".ts": "typescript",
    ".tsx": "tsx",
    ".go": "go",
    ".rs": "rust",
    ".java": "java",
    ".c": "c",
    ".h": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".hpp": "cpp",
    ".sh": "shell",
    ".sql": "sql",
    ".html": "html",
    ".css": "css",
}
LEFT_OUT = {"node_modules", "__pycache__", "venv", "site-packages", "vendor", "build", "dist"}
"""Folders of what others have made, or that is made anew; so are all that begin with a dot."""
SECRET = (
    *(".*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "credentials*", "secret_key*"),
    *("*.password", "*.token", "htpasswd*", "service-account*.json", "*requirements*.txt"),
    *("*secret*.txt", "*password*.txt", "*passwd*.txt", "*token*.txt", "*api_key*.txt"),
    *("*apikey*.txt", "*.netrc", "*.pgpass", "kubeconfig*", "*.tfstate*", "*.ovpn", "*.asc"),
)
"""Names of files that are not read: secrets, and lists that nobody looks for."""
SECRET_INSIDE = (b"PRIVATE KEY-----", b"\0")
SECONDARY = ("tests", "test", "migrations", "locale", "fixtures", "examples", "benchmarks")
"""Folders whose code is found behind that of the product."""


@dataclass(frozen=True, slots=True)
class Root:
    """A folder that is indexed, and the name by which its files are told from others'."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a root; `path` begins below it."""

    path: str
    size: int
    changed: int


def kind_of(path: str) -> tuple[Kind, str] | None:
    """Whether a file has documents or code, and its language; None where it is not indexed."""
    ending = os.path.splitext(path)[1].lower()
    if ending in DOCUMENTS:
        return Kind.DOCS, DOCUMENTS[ending]
    if ending in LANGUAGES:
        return Kind.CODE, LANGUAGES[ending]
    return None


def prior_of(path: str) -> float:
    """How much what is found in a file counts, from 0 to 1: tests less than what they test."""
    folders = path.split("/")
    if any(folder in SECONDARY for folder in folders[:-1]) or folders[-1].startswith("test_"):
        return 0.6
    return 0.8 if folders[-1].upper().startswith("CHANGELOG") else 1.0


def files(root: Root, besides: Sequence[Path] = ()) -> Iterator[Found]:
    """The files of a root in the order of their paths, but for the folders `besides`.

    No symbolic link is followed. A folder that cannot be read has none.
    """
    places = {(one.st_dev, one.st_ino) for one in map(_stat, besides) if one}
    left = MOST_FILES
    for found in _below(root.folder, "", places, 0):
        if left == 0:
            return
        left -= 1
        yield found


def _below(folder: Path, before: str, besides: set[tuple[int, int]], depth: int) -> Iterator[Found]:
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in inside:
        try:
            name = entry.name
            name.encode()  # one that is no text cannot be stored
            if entry.is_dir(follow_symlinks=False):
                if name.startswith(".") or name in LEFT_OUT or depth >= DEEPEST:
                    continue
                seen = entry.stat(follow_symlinks=False)
                if (seen.st_dev, seen.st_ino) not in besides:
                    yield from _below(Path(entry.path), f"{before}{name}/", besides, depth + 1)
            elif entry.is_file(follow_symlinks=False) and _is_wanted(name):
                seen = entry.stat(follow_symlinks=False)
                if 0 < seen.st_size <= MOST_BYTES:
                    yield Found(f"{before}{name}", seen.st_size, seen.st_mtime_ns)
        except (OSError, UnicodeError):
            continue


def _is_wanted(name: str) -> bool:
    return kind_of(name) is not None and not is_secret(name)


def is_secret(path: str) -> bool:
    """Whether a file of this name, or in a folder whose name begins with a dot, may have secrets
    in it.
    """
    *folders, name = path.lower().split("/")
    is_hidden = any(folder.startswith(".") for folder in folders)
    return is_hidden or any(fnmatch(name, one) for one in SECRET)


def _stat(folder: Path) -> os.stat_result | None:
    try:
        return os.stat(folder)
    except OSError:
        return None


def read(root: Root, path: str) -> str | None:
    """The text of a file; None where it is gone, no text, or has a private key in it."""
    try:
        with open(_opened(root.folder, path), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            raw = file.read(MOST_BYTES + 1)
    except OSError:
        return None
    return as_text(raw)


def _opened(folder: Path, path: str) -> int:
    """Open a file folder by folder, none of which may have become a symbolic link meanwhile."""
    *folders, name = path.split("/")
    within = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for one in folders:
            outer = within
            within = os.open(one, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=outer)
            os.close(outer)
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=within)
    finally:
        os.close(within)


def as_text(raw: bytes) -> str | None:
    """The text; None where it is none, is too long, or has a private key in it."""
    if len(raw) > MOST_BYTES or any(mark in raw for mark in SECRET_INSIDE):
        return None
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return None
