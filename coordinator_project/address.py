"""Where the embedded PostgreSQL can be reached: two files in the data folder, of which one exists.

`postgres.running` while it accepts connections, `postgres.last` from the death of its supervisor
until then: sessions reconnect to that address. On a full disk a file can be renamed, not written.
"""

import json
from dataclasses import dataclass
from pathlib import Path

Place = dict[str, str | int]
"""`port` and `home`; empty when there is none."""


@dataclass(frozen=True)
class Address:
    """The address of the server of the data folder `folder`."""

    folder: Path

    @property
    def running(self) -> Path:
        return self.folder / "postgres.running"

    @property
    def last(self) -> Path:
        return self.folder / "postgres.last"

    def announced(self) -> Place:
        return _read(self.running)

    def withdraw(self) -> int:
        """Say that the server does not run; return the port to start it at, 0 if any will do."""
        if self.running.exists():
            self.running.replace(self.last)
        return int(_read(self.last).get("port", 0))

    def announce(self, port: int, home: Path) -> None:
        """Say that the server accepts connections at `port`."""
        place: Place = {"port": port, "home": str(home)}
        if place not in (_read(self.running), _read(self.last)):
            draft = self.folder / "postgres.new"
            draft.write_text(json.dumps(place))
            draft.replace(self.last)
        if self.last.exists():
            self.last.replace(self.running)

    def forget(self) -> None:
        self.running.unlink(missing_ok=True)
        self.last.unlink(missing_ok=True)


def _read(path: Path) -> Place:
    try:
        place: Place = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return place
