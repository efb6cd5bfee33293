"""Bytes of a program become masked lines of text, however it writes them."""

import codecs

from coordinator_client.runner.masking import Masker

LONGEST = 32 * 1024  # characters: at most 128 KiB, or 192 KiB if JSON escapes each


class LineReader:
    """Cuts what is fed to it into lines; a longer one into several."""

    def __init__(self, masker: Masker) -> None:
        self.masker = masker
        self.rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> list[str]:
        """The lines that are whole now."""
        text = self._decoder.decode(data).replace("\0", "␀")
        whole, found, self.rest = (self.rest + text).rpartition("\n")
        lines = self.masker.mask(whole).split("\n") if found else []
        return [piece for line in lines for piece in pieces(line)] + self.too_long()

    def too_long(self) -> list[str]:
        """Parts of a line that has not ended, cut where no secret is cut."""
        parts = []
        while len(self.rest) >= LONGEST + self.masker.longest:
            parts.append(self.take(self.masker.cut(self.rest, LONGEST)))
        return parts

    def unfinished(self) -> list[str]:
        """What there is of a line that does not end, without what may become a secret."""
        at = self.masker.cut(self.rest, self.masker.unfinished(self.rest))
        return [self.take(at)] if at else []

    def end(self) -> list[str]:
        self.rest += self._decoder.decode(b"", final=True)
        return pieces(self.take(len(self.rest))) if self.rest else []

    def take(self, length: int) -> str:
        part, self.rest = self.rest[:length], self.rest[length:]
        return self.masker.mask(part)


def pieces(line: str) -> list[str]:
    line = line.removesuffix("\r")
    if len(line) <= LONGEST:
        return [line]
    return [line[start : start + LONGEST] for start in range(0, len(line), LONGEST)]
