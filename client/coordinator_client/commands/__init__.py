"""`coordinator`: the command line."""

import os
import sys

from coordinator_client.commands.app import app
from coordinator_client.commands.output import complain, exit_code
from coordinator_client.config import file_path
from coordinator_client.errors import CoordinatorError, Unauthorized


def main() -> None:
    """Run a command; what is expected to go wrong is a sentence and an exit code."""
    try:
        app()
    except Unauthorized as error:
        complain(f"{error} It is COORDINATOR_TOKEN, or the token in {file_path()}.")
        sys.exit(exit_code(error))
    except CoordinatorError as error:
        complain(str(error))
        sys.exit(exit_code(error))
    except BrokenPipeError:
        # Who read our output has gone; the interpreter must not try to write more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)


__all__ = ["app", "main"]
