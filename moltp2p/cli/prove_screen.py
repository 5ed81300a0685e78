"""How `moltp2p prove` looks to a person: what goes on, tasks, and at last who attested.

One task is asked after the other; a line that is typed answers the one that is shown.
What only moves, such as the search for a ticket, is one line that is drawn again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import trio

from moltp2p.cli.attestations import tree
from moltp2p.cli.prove_events import View, follow
from moltp2p.cli.terminal import moment, safe, short_agent, span
from moltp2p.core.errors import MoltError

if TYPE_CHECKING:
    from rich.console import Console

    from moltp2p.cli.client import Client

Line = tuple[str, str]
"""A text, and its style."""

BY_HAND: Final = (
    "Tasks come four at a time, with half a minute or a minute for all four: they are"
    " made for a model, and whoever reads them alone is too slow. Give the node a"
    " solver, or answer from a program: moltp2p prove --json."
)


async def prove_on_screen(console: Console, client: Client, options: View) -> None:
    """Prove, and show it.

    Raises:
        MoltError: as `follow`.
    """
    screen = Screen(console, client, is_by_hand=bool(options["by_hand"]))
    with screen.open():
        await follow(client, options, screen.show, screen.take)
    agent = (await client.get("/status"))["agent"]
    console.print(tree(await client.get(f"/attestations/{agent}"), agent))


class Screen:
    """Shows events, and takes what is typed.

    Args:
        console: where to.
        client: takes the answers.
        is_by_hand: whether tasks are asked here, whatever the settings say.
    """

    def __init__(self, console: Console, client: Client, *, is_by_hand: bool) -> None:
        self._console = console
        self._client = client
        self._is_by_hand = is_by_hand
        self._status = console.status("Asking the node …")
        self._tasks: deque[tuple[View, float]] = deque()
        self._is_asking = False

    @contextmanager
    def open(self) -> Iterator[None]:
        """Draw for the length of the block."""
        self._status.start()
        try:
            yield
        finally:
            self._status.stop()

    async def show(self, event: View) -> None:
        """Show an event."""
        match event["event"]:
            case "begun":
                self._begin(event["proof"])
            case "waiting":
                self._status.update(f"Waiting: {safe(event['message'])} …")
            case "ticket":
                tries, usual = event["tries"], event["usual"]
                self._status.update(
                    f"Looking for a ticket: {tries:,} tries, {usual:,} on the average"
                )
            case "task":
                self._tasks.append((event, trio.current_time() + event["seconds_left"]))
                if len(self._tasks) == 1:
                    self._ask()
            case _:
                self._tell(event)

    async def take(self, line: bytes) -> None:
        """Take what was typed as the answer to the task that is shown."""
        self._is_asking = False  # whoever typed has ended the line
        self._pass_over()
        said = line.decode(errors="replace").strip()
        if not self._tasks or not said:
            self._ask()
            return
        number = self._tasks[0][0]["number"]
        try:
            told = await self._client.ask("POST", f"/tasks/{number}", {"answer": said})
        except MoltError as error:
            self._print((f"{safe(error.message)}: {error.hint}", "yellow"))
            if error.code != "no-such-task":
                self._prompt()
                return
        else:
            self._print((f"answered: {told['answer']}", "dim"))
        self._tasks.popleft()
        self._ask()

    # -- how ---------------------------------------------------------------------------

    def _begin(self, proof: View) -> None:
        solver = proof["solver"]
        self._is_by_hand |= solver == "by-hand"
        how = "by hand, here" if self._is_by_hand else f"by its solver ({solver})"
        self._print((f"The agent is {proof['state']}; tasks are answered {how}.", ""))
        if self._is_by_hand:
            self._print((BY_HAND, "dim"))

    def _pass_over(self) -> None:
        """Pass over tasks whose time is over."""
        while self._tasks and self._tasks[0][1] <= trio.current_time():
            number = self._tasks.popleft()[0]["number"]
            self._print((f"The time for task {number} is over.", "yellow"))

    def _ask(self) -> None:
        """Show the next task, and draw nothing while somebody types; else go on."""
        from rich.panel import Panel

        self._is_asking = False
        self._pass_over()
        if not self._tasks:
            self._status.start()
            return
        self._status.stop()
        task, ends_at = self._tasks[0]
        left = f"{max(ends_at - trio.current_time(), 0):.0f} s left"
        others = len(self._tasks) - 1
        more = f", {others} more wait" if others else ""
        text = safe(task["text"])
        if task["reminder"]:
            text = f"You were told before: {safe(task['reminder'])}\n\n{text}"
        title = f"task {task['number']} · {left}{more}"
        self._console.print(Panel(text, title=title, title_align="left"))
        self._prompt()

    def _prompt(self) -> None:
        self._console.print("answer> ", end="")
        self._is_asking = True

    def _tell(self, event: View) -> None:
        """Print what stays on the screen."""
        shown = self._tasks[0] if self._tasks else None
        self._pass_over()
        if shown is not None and (not self._tasks or self._tasks[0] is not shown):
            self._ask()
        self._print(*lines_of(event))
        self._status.update(_DOING.get(event["event"], "Asking those who were drawn …"))

    def _print(self, *lines: Line) -> None:
        """Print lines, before the prompt if there is one."""
        if self._is_asking and lines:
            self._console.print()
        for text, style in lines:
            self._console.print(text, style=style)
        if self._is_asking and lines:
            self._prompt()


_DOING: Final = {"failed": "Waiting to try another ticket …"}


def lines_of(event: View) -> Iterator[Line]:
    """Yield what to print of an event, and in which style."""
    match event["event"]:
        case "asked" | "attested" | "refused" | "checked":
            yield from _session_lines(event)
        case "failed":
            again = span(event["again_s"])
            yield f"No proof yet: {safe(event['message'])} ({event['code']})", "yellow"
            yield f"  The node tries again in {again}, whether you wait or not.", "dim"
        case "proved":
            yield f"Proved. It holds until {moment(event['expires_ms'])}.", "bold green"
        case "proof":
            until = moment(event["expires_ms"])
            yield f"There is a good proof, until {until}; --anew renews it.", "bold"
        case _:
            return


def _session_lines(event: View) -> Iterator[Line]:
    """Yield what to print of a session with somebody."""
    agent = short_agent(event["agent"]) if event["agent"] else "somebody"
    word, code = event["event"], event.get("code", "")
    if word == "asked":
        yield f"Applying to {agent}.", "dim"
    elif word == "attested":
        yield f"{agent} attests: {event['score']} of 8 right.", "green"
    elif code == "passed":
        yield f"{agent} has challenged the agent itself, and it passed.", "green"
    else:
        yield f"{agent}: {safe(event['message'])} ({safe(code)})", "yellow"
        yield from _mistakes(event["tasks"])
        if event["hint"]:
            yield f"  {event['hint']}", "dim"


def _mistakes(tasks: list[View]) -> Iterator[Line]:
    """Yield the tasks of a session that were not answered right."""
    for task in tasks:
        said, right = task["answer"], task["right"]
        if said == right and said is not None:
            continue
        answer = "there was no answer" if said is None else f"the answer was {said}"
        known = "" if right is None else f"; right is {safe(right)}"
        yield f"  {safe(task['text'])}", "dim"
        yield f"    {answer}{known}", ""
