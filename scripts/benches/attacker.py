"""A hostile machine: connects so often a second from one address, and means no good.

By turns it leaves at once, says what is no handshake, and says nothing for as long as
it is let. `attacker.py HOST PORT COUNT SECONDS`; prints what became of it as JSON.
Plain sockets: it shares the machine with those whose patience is measured.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import time
from collections import Counter, deque
from typing import Final

SOURCE: Final = "127.0.66.6"
"""In a subnet of its own, away from those whom it would harm."""

AT_ONCE: Final = 400
TICK_S: Final = 0.01


class Attack:
    """Attempts, and what became of them."""

    def __init__(self, host: str, port: int, dice: random.Random) -> None:
        self.counts: Counter[str] = Counter()
        self._where = (host, port)
        self._dice = dice
        self._held: deque[socket.socket] = deque()

    def run(self, count: int, seconds: float) -> None:
        """Make the attempts, evenly over that time."""
        begun = time.perf_counter()
        for number in range(count):
            while (ahead_s := number * seconds / count - _since(begun)) > 0:
                time.sleep(min(ahead_s, TICK_S))
            self._attempt(number)
        while self._held:
            self._let_go()

    def _attempt(self, number: int) -> None:
        self.counts["attempts"] += 1
        sock = socket.socket()
        sock.bind((SOURCE, 0))
        sock.setblocking(False)
        sock.connect_ex(self._where)
        if number % 3 == 0:
            sock.close()
            return
        if number % 3 == 1:
            try:
                sock.send(self._dice.randbytes(200))
            except OSError:
                self.counts["not even reached"] += 1
        self._held.append(sock)
        if len(self._held) > AT_ONCE:
            self._let_go()

    def _let_go(self) -> None:
        """Leave the oldest, and count whether it was still let."""
        with self._held.popleft() as sock:
            try:
                while sock.recv(4_096):
                    pass
                self.counts["hung up on"] += 1
            except BlockingIOError:
                self.counts["still let"] += 1
            except OSError:
                self.counts["turned away"] += 1


def _since(begun: float) -> float:
    return time.perf_counter() - begun


def main(host: str, port: str, count: str, seconds: str) -> None:
    """Attack, and say what came of it."""
    attack = Attack(host, int(port), random.Random(1))  # noqa: S311 - the same each time
    attack.run(int(count), float(seconds))
    print(json.dumps(attack.counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
