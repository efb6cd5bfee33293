"""Reads the environment, and the secret key in the data folder; refuses invalid values.

Each function takes one or several names. The first that is set wins; an empty value counts as
not set.
"""

import os
import re
import secrets
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from api.buckets import Rate
from jobs.corndogs import addresses
from jobs.corndogs.addresses import Address

SECRET_KEY_LEAST = 32  # characters
TOKEN_LEAST = 8
FEWEST_DIFFERENT = 4  # different characters

ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")

STORES = ("filesystem", "memory", "s3", "gcs")
BUCKET = re.compile("[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
PREFIX = re.compile("[A-Za-z0-9_=-][A-Za-z0-9._=-]*(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*")
ENDPOINT = re.compile(r"https?://[^/\s?#@]+(/[^\s?#]*)?")
HOME = "us-east-1"  # the region where none is named

BASE_DIR = Path(__file__).resolve().parent.parent
# manage.py sets the last one, for itself and its children.
EMBEDDED = "COORDINATOR_EMBEDDED_URL"
TELEMETRY = "opentelemetry.exporter.otlp.proto.http"  # which needs all the others
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
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
            f"{name} is {value!r}; use a number from 1 for each second, minute, hour or day, "
            "such as 300/m, or off."
        ) from None
    return value


def seconds(*names: str, default: int, least: int = 0, most: int = 10**9) -> timedelta:
    return timedelta(seconds=number(*names, default=default, least=least, most=most))


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


def object_store(folder: Path) -> dict[str, object]:
    """Where the bytes of logs and files are kept; what it needs besides, obstore reads as AWS_…."""
    kind = choice("OBJECT_STORE_TYPE", default="filesystem", among=STORES)
    bucket = text("OBJECT_STORE_BUCKET", default="reactorcide-objects")
    if not BUCKET.fullmatch(bucket):
        raise ImproperlyConfigured(
            f"OBJECT_STORE_BUCKET is {bucket!r}; use a name of 3 to 63 small letters, digits, "
            "dots, dashes and underscores."
        )
    prefix = text("OBJECT_STORE_PREFIX", default="reactorcide/").strip("/")
    if prefix and not PREFIX.fullmatch(prefix):
        raise ImproperlyConfigured(
            f"OBJECT_STORE_PREFIX is {prefix!r}; use names of letters, digits and dashes with "
            "slashes between them, such as reactorcide/."
        )
    return {
        "kind": kind,
        "base_path": str(_folder_of_objects(folder)) if kind == "filesystem" else "",
        "bucket": bucket,
        "prefix": prefix,
        "options": _s3_options() if kind == "s3" else (),
    }


def _folder_of_objects(folder: Path) -> Path:
    given = text("OBJECT_STORE_BASE_PATH", default="")
    place = Path(given).expanduser().absolute() if given else folder / "objects"
    if place.exists() and not place.is_dir():
        raise ImproperlyConfigured(
            f"OBJECT_STORE_BASE_PATH is {str(place)!r}, which is no folder; name one that the "
            "coordinator may write to."
        )
    return place


def _s3_options() -> tuple[tuple[str, object], ...]:
    name, endpoint = first("REACTORCIDE_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    options: dict[str, object] = {"region": text("AWS_REGION", "AWS_DEFAULT_REGION", default=HOME)}
    if endpoint:
        if not ENDPOINT.fullmatch(endpoint):
            raise ImproperlyConfigured(
                f"{name} is {endpoint!r}; use an address such as https://storage.example.org:9000."
            )
        options |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        options["allow_http"] = endpoint.startswith("http:")
    return tuple(sorted(options.items()))


def encryption_keys(name: str) -> list[str]:
    """Keys that seal secrets in the database, the first for new ones; none are ever shown."""
    keys = words(name)
    for key in keys:
        try:
            Fernet(key)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} has a key that is none: use 32 random bytes in URL-safe base64 for each, "
                "such as `openssl rand -base64 32 | tr +/ -_` prints."
            ) from None
    return keys


def vault_mode(name: str, *, keys: list[str]) -> str:
    """`prod` where secrets of providers are real ones; then a key of one's own has to seal them."""
    mode = choice(name, default="dev", among=("dev", "prod"))
    if mode == "prod" and not keys:
        raise ImproperlyConfigured(
            f"{name} is 'prod', so set COORDINATOR_ENCRYPTION_KEYS, for example to what "
            "`openssl rand -base64 32 | tr +/ -_` prints; keep a copy of it apart from the backups."
        )
    return mode


def signing_keys(name: str) -> list[str]:
    """Secrets that sign URLs, the first for new ones; none are ever shown."""
    return [long_enough(key, f"A key of {name}", TOKEN_LEAST) for key in words(name)]


def share(name: str, *, default: float) -> float:
    """A number from 0 to 1."""
    _, value = first(name)
    try:
        result = float(value) if value else default
    except ValueError:
        result = -1.0
    if not 0 <= result <= 1:
        raise ImproperlyConfigured(f"{name} is {value!r}; use a number from 0 to 1.")
    return result


def search_roots(name: str) -> tuple[tuple[str, Path], ...]:
    """The folders that are searched, each with its name: this project if none is given."""
    value = text(name, default="")
    if not value:
        return (("project", BASE_DIR),)
    if value == "off":
        return ()
    folders = [Path(part).expanduser() for part in value.split(os.pathsep) if part.strip()]
    for folder in folders:
        if not folder.is_absolute() or not folder.is_dir() or not folder.name:
            raise ImproperlyConfigured(
                f"{name} has {str(folder)!r}, which is no folder: use whole paths of folders with "
                f"{os.pathsep!r} between them, or off."
            )
    if len({folder.name for folder in folders}) < len(folders):
        raise ImproperlyConfigured(f"{name} has two folders of one name, by which they are told.")
    return tuple((folder.name[:100], folder) for folder in folders)


def embeddings_url(name: str, embedder: str) -> str:
    """Where an embedder answers, without a password, which the key is for."""
    value = text(name, default="").rstrip("/")
    if embedder == "http" and not ENDPOINT.fullmatch(value):
        raise ImproperlyConfigured(
            f"{name} is no address; use one such as https://models.example.org/v1, below which "
            "/embeddings is."
        )
    return value


def public_url(name: str) -> str:
    """Where people reach the dashboard, without a slash at its end; empty where nobody said."""
    value = text(name, default="").rstrip("/")
    if value and not ENDPOINT.fullmatch(value):
        raise ImproperlyConfigured(
            f"{name} is no address; use one such as https://coordinator.example.org."
        )
    return value


MAIL_PORTS = {"smtp": 25, "starttls": 587, "smtps": 465}


def mail_server(name: str) -> tuple[str, int, str, str, str]:
    """Host, port, user, password and scheme of the server that sends mail; empty: there is none."""
    value = text(name, default="")
    if not value:
        return "", 25, "", "", "smtp"
    try:
        parts = urlsplit(value)
        usual = MAIL_PORTS[parts.scheme]
        host, port = parts.hostname, parts.port or usual
    except (KeyError, ValueError):
        host = None
    if not host or parts.path.strip("/") or parts.query or parts.fragment:
        # Without the value, which may have a password in it.
        raise ImproperlyConfigured(
            f"{name} is no mail server; use smtp://, starttls:// or smtps://, with"
            " user:password@ where it wants them, a host and a port."
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return host, port, user, password, parts.scheme


def corndogs(name: str) -> tuple[Address, ...]:
    """The servers of a queue outside; none when none is set."""
    value = text(name, default="")
    try:
        return addresses.parsed(value)
    except ValueError as problem:
        # Without the value, which may have a password in it.
        raise ImproperlyConfigured(f"{name} is no list of addresses: {problem}.") from None


def traces(name: str) -> bool:
    """Whether to send traces, for which OpenTelemetry has to be installed."""
    wanted = flag(name)
    if wanted and not is_installed(TELEMETRY):
        raise ImproperlyConfigured(
            f"{name} is 'yes', but OpenTelemetry is not installed: run "
            "`.venv/bin/python -m pip install -r requirements-otel.txt`."
        )
    return wanted


def is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even a package above it
        return False


def header(name: str) -> str:
    """A credential of others, which goes into a header; "" when none is set, never shown."""
    value = text(name, default="")
    if not all("!" <= letter <= "~" for letter in value):
        raise ImproperlyConfigured(f"{name} must be ASCII without blanks.")
    return value


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
