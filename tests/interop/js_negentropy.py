"""Other implementations of Negentropy, in a Node process; see negentropy.mjs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from moltp2p.core.ids import RecordId
from moltp2p.proto.sync.reconcile import Item
from tests.interop.js_install import JsInstall

SOURCES: Final = Path(__file__).with_name("negentropy")
MAX_TIME: Final = 2**31 - 2
"""They count with 32 bits, and time is told as one more."""


@dataclass(frozen=True, slots=True)
class JsTurn:
    """What a message led to on the other side.

    Attributes:
        message: its answer; None for the end.
        have: what it says it has and we lack.
        need: what it says it lacks.
    """

    message: bytes | None
    have: frozenset[RecordId]
    need: frozenset[RecordId]


class JsNegentropy:
    """One conversation after the other with an implementation that is not ours.

    Args:
        install: Node and the program.
    """

    def __init__(self, install: JsInstall) -> None:
        self._popen = subprocess.Popen(
            [install.node, install.program],
            stdin=subprocess.PIPE,  # it ends with us, should we be killed
            stdout=subprocess.PIPE,
        )

    def open(
        self, name: str, items: Iterable[Item], limit: int, *, initiates: bool
    ) -> bytes | None:
        """Begin a conversation; return its first message, if it initiates.

        Args:
            name: `reference` or `nostr-tools`.
            items: what it holds, with times of at most `MAX_TIME`.
            limit: the longest message that it writes.
            initiates: whether it does.
        """
        spelt = [[item.time_ms, item.id.hex()] for item in items]
        command = {"open": name, "items": spelt, "limit": limit, "initiates": initiates}
        message = self._call(command)["message"]
        return None if message is None else bytes.fromhex(message)

    def receive(self, message: bytes) -> JsTurn:
        """Give it a message."""
        answer = self._call({"message": message.hex()})
        text = answer["message"]
        return JsTurn(
            None if text is None else bytes.fromhex(text),
            *(
                frozenset(RecordId(bytes.fromhex(each)) for each in answer[side])
                for side in ("have", "need")
            ),
        )

    def end(self) -> None:
        """End the process."""
        self._popen.communicate(timeout=10)

    def _call(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(json.dumps(command).encode() + b"\n")
        self._popen.stdin.flush()
        answer: dict[str, Any] = json.loads(self._popen.stdout.readline())
        assert "error" not in answer, answer
        return answer
