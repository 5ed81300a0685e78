"""The protocol's half of `proof`: what a session, a proof and a refusal cost.

Processor times are of one thread, so that a busy machine shows less in them; still,
compare ratios rather than figures.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from moltp2p.core.author import Draft
from moltp2p.core.challenge.testimony import Apply
from moltp2p.core.challenge.work import Ticket, ticket_value
from moltp2p.core.facts import Overlay
from moltp2p.core.ids import AgentId
from moltp2p.core.kinds import Kind
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.proof.pack import Library
from moltp2p.proof.pack_reading import load_library
from moltp2p.proto.challenge.challenger import Host, challenger
from moltp2p.proto.challenge.desk import Desk
from moltp2p.proto.challenge.events import Hashed, HashTicket, Passed, Received
from moltp2p.proto.challenge.machine import Machine, Moment
from moltp2p.testing.challenging import FREE, Between, Duet, Pair, Solve, visitor
from moltp2p.testing.factories import EPOCH_MS, signer
from moltp2p.testing.oracle import Oracle
from moltp2p.testing.proofs import known_agent, prove
from scripts.benches.outcome import Outcome
from scripts.vectors.proof_sessions import restated
from tests.facts import NoFacts

SESSIONS: Final = 20
VERIFIES: Final = 200
ARGON2: Final = 5
REFUSALS: Final = 200


def measure(outcome: Outcome, rounds: int) -> None:
    """Note the figures of sessions, proofs and refused applications."""
    _sessions(outcome, SESSIONS * rounds)
    _proofs(outcome, VERIFIES * rounds)
    _argon2(outcome, ARGON2 * rounds)
    _refusals(outcome, REFUSALS * rounds)


def _sessions(outcome: Outcome, count: int) -> None:
    library = load_library()
    sizes, challengers, applicants = [], [], []
    for seed in range(count):
        pair, solve = _pair(library, seed)
        duet = pair.duet(Between(solve=solve)).run()
        if not isinstance(duet.subject_end, Passed):
            raise TypeError(f"session {seed} did not pass: {duet.subject_end}")
        sizes.append(duet.wire_bytes)
        again, _ = _pair(library, seed)
        challengers.append(_replayed_s(duet, duet.issuer, again.challenging()))
        applicants.append(_replayed_s(duet, duet.subject, again.applying()))
    outcome.add("session on the wire", statistics.mean(sizes), "B")
    outcome.add("session on the wire, longest", max(sizes), "B")
    outcome.add("challenger's processor", statistics.median(challengers) * 1e3, "ms")
    outcome.add("applicant's processor", statistics.median(applicants) * 1e3, "ms")


def _pair(library: Library, seed: int) -> tuple[Pair, Solve]:
    """Return two parties with real tasks; a seed gives the same ones twice."""
    oracle = Oracle(library, b"%d" % seed)
    return Pair(seed=seed, tasks=oracle.tasks, words=oracle.word), oracle.solve


def _replayed_s(duet: Duet, side: Machine, again: Machine) -> float:
    """Return the processor seconds of one side, beside Argon2 and solver."""
    begun_s = time.thread_time()
    for turn in duet.turns:
        if turn.machine is side:
            again.handle(turn.event, turn.now)
    return time.thread_time() - begun_s


def _proofs(outcome: Outcome, count: int) -> None:
    issuers = [known_agent(name) for name in ("bob", "carol", "dave", "erin")]
    alice = known_agent("alice")
    proof = prove(alice, issuers, size=8)
    record = alice.write(Draft(Kind.PROOF, proof))
    wire = record.wire()
    bench = Bench(NetworkParams("test-net"), record.header.time_ms, Road.SYNC)
    ticket_value("test-net", alice.id, proof.ticket)
    statement = proof.attested[0].statement
    outcome.add("attestation", len(statement.payload) + len(statement.signature), "B")
    outcome.add("proof of four, as a record", len(wire), "B")
    facts = Overlay(NoFacts())
    spent_s = timed_s(lambda: judge(wire, bench, facts), count)
    outcome.add("proof judged, beside one Argon2", spent_s * 1e3, "ms")


def _argon2(outcome: Outcome, count: int) -> None:
    nonces = iter(range(10**6))
    agent = AgentId(signer("alice").public)

    def one() -> None:
        ticket_value("main", agent, Ticket(1, 1, next(nonces)))

    outcome.add("one Argon2, 16 MiB", timed_s(one, count) * 1e3, "ms")


def _refusals(outcome: Outcome, count: int) -> None:
    pair = Pair()
    said = pair.duet().run().frames()[0]
    forged = restated(Apply, lambda same: same, signer("mallory"))(said)[0]
    frames = {"garbage": b"\xff" * 8_192, "forged": forged}
    who, begun = visitor(pair.subject), Moment(1_000.0, EPOCH_MS)
    host = Host(pair.party(pair.issuer), pair.words, Desk(FREE))

    def refuse(frame: bytes) -> Sequence[object]:
        return challenger(host, who, begun).handle(Received(frame), 1_000.0)

    for name, frame in frames.items():
        spent_s = timed_s(partial(refuse, frame), count)
        outcome.add(f"application refused: {name}", spent_s * 1e3, "ms")
    spent_s = timed_s(lambda: _unpaid(host, pair, said), count)
    outcome.add("application refused: unpaid, beside Argon2", spent_s * 1e3, "ms")


def _unpaid(host: Host, pair: Pair, frame: bytes) -> None:
    machine = challenger(host, visitor(pair.subject), Moment(1_000.0, EPOCH_MS))
    actions = machine.handle(Received(frame), 1_000.0)
    if isinstance(actions[0], HashTicket):
        machine.handle(Hashed(b"\xff" * 32), 1_000.0)


def timed_s(act: Callable[[], object], count: int) -> float:
    """Return the median processor seconds of an act."""
    spent = []
    for _ in range(count):
        begun_s = time.thread_time()
        act()
        spent.append(time.thread_time() - begun_s)
    return statistics.median(spent)
