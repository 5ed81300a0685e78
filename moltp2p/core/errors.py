"""The three kinds of failure, by whose fault it is.

Every failure carries a `code` from spec/09-registry.md, words for a person, and
a hint that says what to do. A program acts on the code alone.
"""

from __future__ import annotations


class MoltError(Exception):
    """A failure with a stable code.

    Attributes:
        code: the registry word that names the failure (spec 09).
        message: what was wrong, and where, in one sentence.
        hint: what to do about it; empty when nothing can be done.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[MoltError], tuple[str, str, str]]:
        """Pickle by the three parts, since `args` holds only the joined text."""
        return type(self), (self.code, self.message, self.hint)


class PeerError(MoltError):
    """What a stranger sent is wrong; ends that session and never the node."""


class UsageError(MoltError):
    """What our caller asked for cannot be; never caught inside."""


class LocalError(MoltError):
    """This machine cannot do it: a file, a disk, a port."""
