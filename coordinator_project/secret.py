"""The secret key that signs sessions: made once, kept in the data folder."""

import os
import secrets
from pathlib import Path


def secret_key(folder: Path) -> str:
    """The key of `folder`; made at the first call, whoever else calls at the same moment."""
    path = folder / "secret_key"
    try:
        return path.read_text()
    except FileNotFoundError:
        pass
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
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
