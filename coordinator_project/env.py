"""Reads the environment, and the secret key in the data folder; refuses invalid values.

Each function takes one or several names. The first that is set wins; an empty value counts as
not set.
"""

import os
import re
import secrets
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

from api.buckets import Rate

SECRET_KEY_LEAST = 32  # characters
TOKEN_LEAST = 8
FEWEST_DIFFERENT = 4  # different characters

ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")

BASE_DIR = Path(__file__).resolve().parent.parent
# manage.py sets the last one, for itself and its children.
EMBEDDED = "COORDINATOR_EMBEDDED_URL"
DATABASE_NAMES = ("COORDINATOR_DATABASE_URL", "DATABASE_URL", "DB_URI", EMBEDDED)


def first(*names: str) -> tuple[str, str]:
    """The first of `names` that is set, with its value; the first name and "" when none is."""
    for name in names:
        value = os.environ.get(name, "").strip()
        if value:
            return name, value
    return names[0], ""


def text(*names: str, default: str | None = None) -> str:
    name, value = first(*names)
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"Set the environment variable {name}.")
    return default


def secret(name: str, *, least: int) -> str:
    """A secret of at least so many characters, or "" when none is set; it is never shown."""
    return long_enough(text(name, default=""), name, least)


def long_enough(value: str, name: str, least: int) -> str:
    """Refuse a secret, named `name`, that could be guessed; "" is none."""
    if value and (len(value) < least or len(set(value)) < FEWEST_DIFFERENT):
        raise ImproperlyConfigured(
            f"{name} could be guessed: use at least {least} characters, {FEWEST_DIFFERENT} of them "
            "different, for example those that `openssl rand -hex 32` prints."
        )
    return value


def words(*names: str, default: str = "") -> list[str]:
    return text(*names, default=default).replace(",", " ").split()


def origins(name: str) -> list[str]:
    """Sites as browsers name them: scheme, host and port, nothing more."""
    found = words(name)
    for value in found:
        if not ORIGIN.fullmatch(value):
            raise ImproperlyConfigured(
                f"{name} has {value!r}; use origins such as https://dashboard.example.org, "
                "separated by commas or spaces."
            )
    return found


def flag(*names: str, default: bool = False) -> bool:
    name, value = first(*names)
    if not value:
        return default
    if value not in {"yes", "no"}:
        raise ImproperlyConfigured(f"{name} is {value!r}; use 'yes' or 'no'.")
    return value == "yes"


def choice(*names: str, default: str, among: tuple[str, ...]) -> str:
    name, value = first(*names)
    value = value or default
    if value not in among:
        raise ImproperlyConfigured(f"{name} is {value!r}; use one of {', '.join(among)}.")
    return value


def identifier(name: str) -> UUID | None:
    """A UUID, or None when none is set."""
    _, value = first(name)
    try:
        return UUID(value) if value else None
    except ValueError:
        example = "01234567-89ab-cdef-0123-456789abcdef"
        raise ImproperlyConfigured(f"{name} is {value!r}; use a UUID like {example}.") from None


def number(*names: str, default: int, least: int = 0, most: int | None = None) -> int:
    name, value = first(*names)
    if not value:
        return default
    span = f"of {least} or more" if most is None else f"from {least} to {most}"
    try:
        result = int(value)
    except ValueError:
        result = least - 1
    if result < least or (most is not None and result > most):
        raise ImproperlyConfigured(f"{name} is {value!r}; use a whole number {span}.")
    return result


def rate(name: str, *, default: str) -> str | None:
    """A limit of requests, as REST framework writes them; None for no limit."""
    value = text(name, default=default)
    if value == "off":
        return None
    try:
        Rate.parse(value)
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} is {value!r}; use a number for each second, minute, hour or day, "
            "such as 300/m, or off."
        ) from None
    return value


def seconds(*names: str, default: int, least: int = 0) -> timedelta:
    return timedelta(seconds=number(*names, default=default, least=least, most=10**9))


def minutes(*names: str, default: int, least: int = 0) -> timedelta:
    return timedelta(minutes=number(*names, default=default, least=least, most=10**6))


def hours(*names: str, default: int, least: int = 0) -> timedelta:
    return timedelta(hours=number(*names, default=default, least=least, most=10**6))


def days(*names: str, default: int, least: int = 0) -> timedelta:
    return timedelta(days=number(*names, default=default, least=least, most=36_500))


def processes() -> int:
    """How many processes answer HTTP: one a core unless it is said."""
    cores = min(len(os.sched_getaffinity(0)), 16)
    return number("COORDINATOR_PROCESSES", default=cores, least=1, most=64)


def data_dir() -> Path:
    """The data folder; a relative one counts from the current directory."""
    given = text("COORDINATOR_DATA_DIR", default="")
    return Path(given).expanduser().absolute() if given else BASE_DIR / "data"


def database_url() -> tuple[str, str]:
    """The variable that names the database, and its value; "" for the embedded database."""
    if os.environ.get("ORHESTRA_DB_URL"):
        raise ImproperlyConfigured(
            "ORHESTRA_DB_URL has the form of an older system; "
            "unset it and set COORDINATOR_DATABASE_URL=postgresql://user:password@host/name, "
            "or set neither for the embedded PostgreSQL."
        )
    return first(*DATABASE_NAMES)


def secret_key(folder: Path) -> str:
    """The key that signs sessions. The first call creates it; of several at once, one wins."""
    path = folder / "secret_key"
    try:
        key = path.read_text() if path.exists() else _new_secret_key(path)
    except OSError as problem:
        raise ImproperlyConfigured(
            f"{path} cannot be used ({problem.strerror}): set COORDINATOR_DATA_DIR to a folder "
            "that you may write to, or SECRET_KEY."
        ) from problem
    if not key:
        raise ImproperlyConfigured(f"{path} is empty: restore it, or delete it to get a new one.")
    return long_enough(key, str(path), SECRET_KEY_LEAST)


def _new_secret_key(path: Path) -> str:
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    draft = path.with_name(f"secret_key.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(64))
    try:
        # A link refuses to replace: the first of several wins, and no reader sees half a key.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text()
