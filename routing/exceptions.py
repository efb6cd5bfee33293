"""What can keep a call from being answered."""

from problems import Invalid, Unavailable, Unprocessable


class NoProvider(Unavailable):
    """No provider of language models can be called now."""

    code = "no_provider"


class NoAnswer(Unavailable):
    """No provider of language models has answered."""

    code = "no_answer"


class BodyDiffers(Unprocessable):
    """The body is not what Content-SHA256 says."""

    code = "checksum_mismatch"


class CallRefused(Invalid):
    """The provider refuses what it was asked."""

    code = "call_refused"

    def __init__(self, name: str, status: int, word: str) -> None:
        """`word` is what the provider calls its reason, where that is one word."""
        said = f": {word}" if word else ""
        super().__init__(f"{name} refuses the call with {status}{said}.")
        self.status = status
