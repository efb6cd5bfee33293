"""How long to wait after each failure in a row."""

import random

LONGEST = 30.0


class Backoff:
    """Doubles up to half a minute, less a random part, so that a fleet does not come at once."""

    def __init__(self, longest: float = LONGEST) -> None:
        self.longest = longest
        self.failures = 0
        self.waited = 0.0  # since the last success

    def reset(self) -> None:
        self.failures = 0
        self.waited = 0.0

    def next(self, error: Exception | None = None) -> float:
        """Seconds to wait, not less than what the coordinator asked for."""
        asked = getattr(error, "retry_after", None) or 0.0
        self.failures += 1
        grown = min(self.longest, 0.5 * 2.0 ** min(self.failures, 10))
        seconds = float(asked) + grown * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)
        self.waited += seconds
        return seconds
