"""A trio run that a plain function drives, a step at a time."""

from __future__ import annotations

import queue
from collections.abc import Awaitable, Callable

import trio


class Loop:
    """One trio run for all cases, of which the caller makes every step.

    Atheris calls a plain function. Starting a run in it takes twenty times as long
    as most cases; trio's guest mode lets one go on for as long as a case needs, and
    stand still between two.
    """

    def __init__(self) -> None:
        self._steps: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._cases: list[Callable[[], Awaitable[None]]] = []
        self._errors: list[Exception] = []
        self._is_closed = False
        trio.lowlevel.start_guest_run(
            self._serve,
            run_sync_soon_threadsafe=self._steps.put,
            done_callback=lambda _: None,
        )

    def run(self, case: Callable[[], Awaitable[None]]) -> None:
        """Make steps until the case has ended; raises what it raised."""
        self._cases.append(case)
        while self._cases:
            self._steps.get()()
        if self._errors:
            raise self._errors.pop()

    def close(self) -> None:
        """End the run."""
        self._is_closed = True
        while not self._steps.empty():
            self._steps.get()()

    async def _serve(self) -> None:
        while not self._is_closed:
            if self._cases:
                try:
                    await self._cases[0]()
                except Exception as error:  # noqa: BLE001 - raised again, by `run`
                    self._errors.append(error)
                self._cases.clear()
            await trio.lowlevel.checkpoint()
