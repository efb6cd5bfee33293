"""Where a Corndogs server answers, and in which of its two protocols. Without Django."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

PORTS = {"http": 8080, "https": 443, "corndogs": 5080, "tcp": 5080}
EXAMPLE = "use addresses such as http://corndogs:8080 or corndogs://corndogs:5080"


@dataclass(frozen=True, slots=True)
class Address:
    """One server: `http` and `https` speak JSON, `corndogs` CBOR over TCP."""

    scheme: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parsed(text: str) -> tuple[Address, ...]:
    """The servers of a list with commas: the members of one cluster, all of one protocol.

    The first names the protocol for those without one. Raises ValueError with a sentence.
    """
    found: list[Address] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        named = part if "://" in part or not found else f"{found[0].scheme}://{part}"
        found.append(_address(named))
    if len({one.scheme for one in found}) > 1:
        raise ValueError("name servers of one protocol")
    return tuple(found)


def _address(text: str) -> Address:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(EXAMPLE) from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(EXAMPLE)
    if parts.username is not None or parts.password is not None:
        raise ValueError("put the credential into CORNDOGS_API_KEY, not into the address")
    scheme = "corndogs" if parts.scheme == "tcp" else parts.scheme
    return Address(scheme, parts.hostname, port or PORTS[scheme], _path(parts, scheme))


def _path(parts: SplitResult, scheme: str) -> str:
    path = parts.path.rstrip("/")
    if parts.query or parts.fragment or (path and scheme == "corndogs"):
        raise ValueError(EXAMPLE)
    return path
