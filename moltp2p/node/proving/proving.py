"""A node's proof: the challenger, the applicant, and what to say of both.

open_proving
├── solver        who answers; by hand, a board
├── challenging   streams from peers, availability, first peers, spot checks
└── applying      ticket, applications, proof, renewal
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from moltp2p.core.author import Draft
from moltp2p.core.challenge.attested import Attested
from moltp2p.core.challenge.testimony import ROUNDS
from moltp2p.core.challenge.work import epoch_of
from moltp2p.core.errors import UsageError
from moltp2p.core.ids import AgentId, agent_text, record_text
from moltp2p.core.kinds import Kind, parse_body
from moltp2p.core.record import Record
from moltp2p.net.background import open_background
from moltp2p.net.base import Network
from moltp2p.node.agents import Agents
from moltp2p.node.authorship import Authorship
from moltp2p.node.config import Config
from moltp2p.node.proving.applying import Applying
from moltp2p.node.proving.by_hand import Board, EitherSolver, Task
from moltp2p.node.proving.challenge_means import Means, in_thread
from moltp2p.node.proving.challenging import Challenging
from moltp2p.node.proving.solvers import Answering, Command, Oracle, Solver
from moltp2p.node.proving.telling import Event, Proceedings, Telling
from moltp2p.node.proving.verify_stream import Ended
from moltp2p.node.solver_settings import (
    BY_HAND,
    COMMAND,
    OPENAI,
    ORACLE,
    check_network,
    solver_key,
)
from moltp2p.node.status import ProvingStatus
from moltp2p.node.world import World
from moltp2p.proof.dice import Dice
from moltp2p.proof.oracle import OracleWords
from moltp2p.proof.pack_reading import load_library
from moltp2p.proof.tasks import Worlds
from moltp2p.proof.wording import word
from moltp2p.proto.challenge.desk import KEPT_EPOCHS, Desk, DeskSettings, Seat
from moltp2p.proto.challenge.events import Party, Words
from moltp2p.proto.challenge.messages import PROTOCOL
from moltp2p.store.base import Query, Store

SEED_BYTES: Final = 32


class Proving:
    """Made by `open_proving`.

    Args:
        means: the node.
        challenging: the challenger's side.
        applying: the applicant's side.
        board: the tasks that are solved by hand.
        telling: tells what goes on.
        config: the node's settings.
    """

    def __init__(
        self,
        means: Means,
        challenging: Challenging,
        applying: Applying,
        board: Board,
        telling: Telling,
        config: Config,
    ) -> None:
        self._solver = shown_solver(config.solver)
        self._is_needed = config.network.admission
        self._means = means
        self._challenging = challenging
        self._applying = applying
        self._board = board
        self._telling = telling

    def status(self) -> ProvingStatus:
        """Return what there is to say now."""
        means, applying, answering = self._means, self._applying, self._means.answering
        attempt = applying.attempt
        return ProvingStatus(
            own=means.agents.own(),
            solver=self._solver,
            is_needed=self._is_needed,
            is_ready=answering.solver.is_ready,
            phase=applying.phase,
            tries=applying.tries,
            attestations=0 if attempt is None else len(attempt.attested),
            slots_left=self._challenging.slots_left(),
            sessions=dict(self._challenging.counters),
            asked=answering.asked,
            answered=answering.answered,
            last_error=answering.last_error,
        )

    @contextmanager
    def prove(
        self, *, anew: bool = False, by_hand: bool = False
    ) -> Iterator[Proceedings]:
        """Have the agent prove itself; what goes on can be iterated over.

        Args:
            anew: renew a proof that is still good.
            by_hand: have tasks answered by hand for the length of the block, whatever
                solver the settings name.

        Raises:
            UsageError: `nothing-to-prove` on a network that is open.
        """
        if not self._is_needed:
            raise UsageError(
                "nothing-to-prove",
                "this network is open: nobody has to prove to be an agent",
                'where one has to, set admission = "proof"',
            )
        applying = self._applying
        with ExitStack() as stack:
            channel = self._telling.listen(stack)
            told: list[Event] = []
            if by_hand or self._solver == BY_HAND:
                stack.enter_context(self._board.watched())
                told += map(task_event, self._board.tasks())
            applying.want(anew=anew)
            if not applying.is_due:
                own = self._means.agents.own()
                record = None if own.record is None else record_text(own.record)
                proof = {"event": "proof", "record": record}
                told.append({**proof, "expires_ms": own.expires_ms})
            yield Proceedings(channel, told)

    def tasks(self) -> Sequence[Task]:
        """Return the tasks that wait for an answer by hand.

        Whoever asks is taken to look at them for a while: until then more may come.
        """
        return self._board.look()

    def answer(self, number: int, said: str) -> str:
        """Answer a task by hand; return the answer as it is committed to.

        Raises:
            UsageError: `no-such-task`, `bad-answer`.
        """
        return self._board.answer(number, said)

    async def challenge(self, agent: AgentId) -> Ended:
        """Challenge an agent directly: if it passes, it counts here.

        Raises:
            UsageError: `not-available` when nobody knows where it is.
            PeerError: it cannot be reached.
        """
        means = self._means
        if agent == means.agent:
            raise UsageError("not-available", "that is this node's own agent")
        for live in means.agents.challengers(means.now_ms()):
            if live.agent == agent:
                return await self._challenging.check(live, ROUNDS)
        raise UsageError(
            "not-available",
            f"no availability of {agent_text(agent)} is known",
            "it tells it once an hour, while it runs",
        )

    async def revoke(self) -> Record:
        """Take back what the agent has proved until now; it proves no more by itself.

        Raises:
            LocalError: the disk failed.
        """
        record = await self._means.publish(Draft(Kind.REVOCATION))
        self._applying.rest()
        return record


def task_event(task: Task) -> Event:
    """Return a task as those see it who solve it by hand."""
    return {
        "event": "task",
        "number": task.number,
        "text": task.text,
        "reminder": task.reminder or None,
        "seconds_left": task.seconds_left,
    }


@dataclass(frozen=True, slots=True)
class Ground:
    """What a node has before it can prove anything.

    Attributes:
        config: its settings.
        world: the clock and the dice.
        network: its peers.
        store: its records.
        agents: who counts.
        authorship: its agent.
    """

    config: Config
    world: World
    network: Network
    store: Store
    agents: Agents
    authorship: Authorship


@asynccontextmanager
async def open_proving(ground: Ground) -> AsyncIterator[Proving]:
    """Challenge, let ourselves be challenged, and prove, for the length of the block.

    Raises:
        UsageError: `bad-pack`, `bad-setting`, `test-network-only`.
        LocalError: `home-failed`, `store-failed`.
    """
    config, authorship = ground.config, ground.authorship
    check_network(config.solver, config.network.id)
    telling = Telling()
    board = Board(lambda task: telling.tell(task_event(task)))
    solver = make_solver(config, os.environ)
    words = await trio.to_thread.run_sync(_words, config, ground.world.draw)
    desk = Desk(DeskSettings.of(config.network.id))
    desk.restore(await trio.to_thread.run_sync(_used_seats, ground))

    async def publish(draft: Draft) -> Record:
        (record,) = await authorship.write([draft])
        return record

    means = Means(
        agent=authorship.agent,
        network_id=config.network.id,
        network=ground.network,
        agents=ground.agents,
        answering=Answering(board if solver is None else EitherSolver(board, solver)),
        party=partial(_party, ground),
        publish=publish,
        tell=telling.tell,
        now_ms=ground.world.now_ms,
        dice=ground.world.dice,
        compute=in_thread(),
        hash=in_thread(),
        seek=in_thread(),
    )
    challenging, applying = Challenging(means, words, desk), Applying(means)
    ground.network.handle(PROTOCOL, challenging.serve)
    async with open_background() as nursery:
        if config.network.admission:
            nursery.start_soon(challenging.announce)
            nursery.start_soon(challenging.acquaint)
            nursery.start_soon(challenging.spot)
            nursery.start_soon(applying.run)
        yield Proving(means, challenging, applying, board, telling, config)


def make_solver(config: Config, environ: Mapping[str, str]) -> Solver | None:
    """Return the solver that the settings name; None when it is somebody by hand.

    Raises:
        UsageError: `bad-setting`.
    """
    chosen = config.solver
    if chosen == ORACLE:
        return Oracle()
    if chosen.startswith(COMMAND):
        return Command(chosen.removeprefix(COMMAND), environ)
    if chosen.startswith(OPENAI):
        from moltp2p.node.proving.openai_solver import OpenAi  # noqa: PLC0415

        key = solver_key(environ)
        return OpenAi(chosen.removeprefix(OPENAI), config.solver_model, key)
    return None


def shown_solver(chosen: str) -> str:
    """Return a solver's kind: the rest is its owner's affair."""
    return chosen if chosen in (BY_HAND, ORACLE) else chosen.partition(":")[0]


def _words(config: Config, draw: Callable[[int], bytes]) -> Words:
    """Return our private wording; reads the operator's packs."""
    library = load_library(config.home / "packs")
    seed = draw(SEED_BYTES)
    if config.solver == ORACLE:
        return OracleWords(library, seed)
    dice = Dice(seed)
    return lambda world: word(world, library, dice)


def _party(ground: Ground) -> Party:
    return Party(
        ground.authorship.agent,
        ground.authorship.signer,
        ground.network.peer_id,
        ground.config.network.id,
        Worlds(),
        ground.world.draw,
        ground.agents.owns,
    )


def _used_seats(ground: Ground) -> list[Seat]:
    """Return the slots of the attestations that were given in the last epochs."""
    oldest = epoch_of(ground.world.now_ms()) - KEPT_EPOCHS
    kinds = frozenset({Kind.ATTESTATION})
    query = Query(agent=ground.authorship.agent, kinds=kinds, deleted=True)
    seats: list[Seat] = []
    while True:
        page = ground.store.page(query)
        for stored in page.records:
            seat = _seat(stored.record)
            if seat is not None and seat.epoch >= oldest:
                seats.append(seat)
        is_past = page.records and (
            epoch_of(page.records[-1].record.header.time_ms) < oldest
        )
        if is_past or not page.more:
            return seats
        query = Query(agent=query.agent, kinds=kinds, deleted=True, cursor=page.cursor)


def _seat(record: Record) -> Seat | None:
    if record.body is None:
        return None
    body = parse_body(record.header.kind, record.body)
    if not isinstance(body, Attested):
        return None
    epoch, slot, value = body.says.epoch, body.says.slot, body.says.ticket
    if epoch is None or slot is None or value is None:
        return None
    return Seat(epoch, slot, value)
