"""Rows of the table: challenges, and the records that bear witness of them."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Final

import cbor2

from moltp2p.core import codec
from moltp2p.core.author import Draft
from moltp2p.core.challenge.attested import Availability
from moltp2p.core.challenge.fraud import Fraud, check_fraud
from moltp2p.core.challenge.spelling import LAYOUTS, fields_of, read
from moltp2p.core.challenge.statements import Statement, signed_bytes
from moltp2p.core.challenge.testimony import PASS_SCORES, ROUNDS
from moltp2p.core.challenge.work import ticket_value
from moltp2p.core.errors import PeerError
from moltp2p.core.forks import prove as prove_fork
from moltp2p.core.kinds import Body, Kind, encode_body, parse_body
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.core.verdict import Verdict
from moltp2p.proto.challenge.applicant import Invited, invited
from moltp2p.proto.challenge.challenger import Invite
from moltp2p.proto.challenge.desk import Desk
from moltp2p.proto.challenge.events import (
    Answered,
    Ask,
    ChallengeEvent,
    Done,
    Failed,
    Hashed,
    HashTicket,
    Keep,
    Received,
    Send,
)
from moltp2p.proto.challenge.machine import Machine, Moment
from moltp2p.proto.challenge.messages import (
    MAX_MESSAGE_BYTES,
    Fail,
    Refuse,
    decode_message,
    encode_message,
)
from moltp2p.testing.challenging import FREE, NETWORK, Between, Duet, Pair, party
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer
from moltp2p.testing.proofs import Spoken, known_agent, peer_of, prove, tickets
from moltp2p.testing.toy_tasks import solve_toy
from tests.facts import facts
from tests.fuzz import mutations
from tests.fuzz.mutations import Mutation
from tests.fuzz.parser import Parser, Read
from tests.fuzz.records import signed
from tests.fuzz.series import frames, joined, session

PAIR: Final = Pair()
NOW: Final = 1_000.0
BEGUN: Final = Moment(NOW, EPOCH_MS)
TESTIMONY: Final = (
    Kind.FORK, Kind.ATTESTATION, Kind.PROOF, Kind.FRAUD, Kind.AVAILABILITY,
)  # fmt: skip


# Messages.


@cache
def _duets() -> list[Duet]:
    """Return sessions by ticket and by check, passed and failed."""
    return [
        Pair().duet().run(),
        Pair(seed=2).duet().run(),
        Pair().duet(Between(solve=lambda _: "no")).run(),
        Pair().check(1).run(),
        Pair().check(2).run(),
    ]


def _said() -> list[bytes]:
    told = [frame for duet in _duets() for frame in duet.frames()]
    return [*told, encode_message(Refuse("too-busy")), encode_message(Fail(3))]


def _message(data: bytes) -> None:
    message = decode_message(data)
    assert decode_message(encode_message(message)) == message
    if isinstance(message, Statement):
        if message.word not in LAYOUTS:
            raise PeerError("bad-statement", "a word that nobody says")
        told = codec.decode(message.payload)
        assert _says(told, fields_of(read(message, LAYOUTS[message.word].says)))


def _says(told: object, read: object) -> bool:
    """Tell whether all that was read was told; fields that nobody knows besides."""
    if isinstance(told, dict) and isinstance(read, dict):
        return all(key in told and _says(told[key], read[key]) for key in read)
    if isinstance(told, list) and isinstance(read, list) and len(told) == len(read):
        return all(map(_says, told, read))
    return told == read


def restated(by: str) -> Mutation:
    """Return a mutation of statements that signs them as `by` would."""
    key = signer(by)

    def mutate(rng: random.Random, seed: bytes, others: Sequence[bytes]) -> bytes:
        if rng.random() < mutations.RAW_SHARE:
            return mutations.cbor(rng, seed, others)
        try:
            statement = Statement.from_value(codec.decode(seed))
            told = codec.decode(statement.payload)
        except PeerError:
            return mutations.cbor(rng, seed, others)
        payload = cbor2.dumps(mutations.changed(rng, told), canonical=True)
        signature = key.sign(signed_bytes(NETWORK, statement.word, payload))
        return encode_message(Statement(statement.word, payload, signature))

    return mutate


# Sessions.


def _talks(open_machine: Callable[[], Machine]) -> Read:
    """Return a reader that lets a machine hear a peer, and ends as the machine does."""

    def read(data: bytes) -> None:
        machine = open_machine()
        for frame in frames(data, MAX_MESSAGE_BYTES):
            _tell(machine, Received(frame))
        machine.close()

    return read


def _tell(machine: Machine, event: ChallengeEvent) -> None:
    """Tell a machine what happened, and do what it wants."""
    for action in machine.handle(event, NOW):
        match action:
            case Send(payload):
                assert len(payload) <= MAX_MESSAGE_BYTES
                decode_message(payload)
            case HashTicket(subject, ticket):
                _tell(machine, Hashed(ticket_value(NETWORK, subject, ticket)))
            case Ask(texts=texts):
                _tell(machine, Answered(tuple(map(solve_toy, texts))))
            case Keep(attested):
                said = attested.says
                assert said.score >= PASS_SCORES[said.rounds or ROUNDS]
            case Done(Failed() as failed):
                _check_fraud(failed)
                raise PeerError(failed.code, failed.message)
            case Done():
                return


def _check_fraud(failed: Failed) -> None:
    """Nothing that one's own dice or a stranger's lies do convicts an innocent."""
    if failed.fraud is not None:
        assert failed.fraud.accused == PAIR.issuer.id
        check_fraud(failed.fraud, NETWORK)


def _challenging(invite: Invite | None = None) -> Machine:
    return dataclasses.replace(PAIR, desk=Desk(FREE)).challenging(invite=invite)


def _invited() -> Machine:
    asked = Invited(peer_of(PAIR.issuer.name), lambda _: True)
    return invited(party(PAIR.subject), asked, BEGUN)


def _heard(machine: Callable[[Duet], Machine], *numbers: int) -> list[bytes]:
    """Return what a side heard, as it stands on a stream, in some of the sessions."""
    return [
        joined(
            turn.event.payload
            for turn in duet.turns
            if turn.machine is machine(duet) and isinstance(turn.event, Received)
        )
        for duet in (_duets()[number] for number in numbers)
    ]


# Records.


@cache
def _witness() -> list[TestAgent]:
    """Return copies of alice, each of whom wrote one record of testimony."""
    return [_wrote(kind, body) for kind, some in _bodies().items() for body in some]


def _wrote(kind: Kind, body: Body) -> TestAgent:
    alice = known_agent("alice")
    alice.write(Draft(kind, body))
    return alice


@cache
def _bodies() -> dict[Kind, list[Body]]:
    alice, bob, carol = map(known_agent, ("alice", "bob", "carol"))
    spoken = Spoken(bob, alice, next(tickets(bob)))
    twice = [dataclasses.replace(spoken, name=name).attest() for name in ("1", "2")]
    branches = TestAgent("bob").post("yes"), TestAgent("bob").post("no")
    fork = prove_fork(*branches, ())
    assert fork is not None
    return {
        Kind.FORK: [fork],
        Kind.ATTESTATION: [spoken.attest(), Spoken(bob, alice).attest()],
        Kind.PROOF: [prove(alice, [bob]), prove(alice, [bob, carol], 8)],
        Kind.FRAUD: [
            Fraud.of("slot", [each.statement for each in twice]),
            Fraud.of("score", [*spoken.heard(), spoken.attest(score=6).statement]),
        ],
        Kind.AVAILABILITY: [Availability(1, 4, peer_of("bob"), ("test/1",))],
    }


def _body(data: bytes) -> None:
    read_as = []
    for kind in TESTIMONY:
        with suppress(PeerError):
            body = parse_body(kind, data)
            assert body is not None
            assert parse_body(kind, encode_body(body)) == body
            read_as.append(kind)
    if not read_as:
        raise PeerError("bad-body", "the body of no testimony")


def _judges() -> Read:
    bench = Bench(NetworkParams(NETWORK), EPOCH_MS + 60_000, Road.GOSSIP)
    known = facts(known_agent("alice").records[0])

    def read(data: bytes) -> None:
        ruling = judge(data, bench, known)
        assert (ruling.verdict is Verdict.ACCEPT) == (ruling.code == "ok")
        if ruling.verdict is not Verdict.ACCEPT:
            raise PeerError(ruling.code, "not accepted")

    return read


ROWS = (
    Parser(
        "challenger",
        lambda: _heard(lambda duet: duet.issuer, 0, 2),
        session(restated("alice")),
        lambda: _talks(_challenging),
        weight=20,
    ),
    Parser(
        "checking challenger",
        lambda: _heard(lambda duet: duet.issuer, 4),
        session(restated("alice")),
        lambda: _talks(lambda: _challenging(Invite(PAIR.subject.id, 2))),
        weight=20,
    ),
    Parser(
        "applicant",
        lambda: _heard(lambda duet: duet.subject, 0, 2),
        session(restated("bob")),
        lambda: _talks(PAIR.applying),
        weight=20,
    ),
    Parser(
        "invited",
        lambda: _heard(lambda duet: duet.subject, 3, 4),
        session(restated("bob")),
        lambda: _talks(_invited),
        weight=20,
    ),
    Parser(
        "judge testimony",
        lambda: [alice.records[-1].wire() for alice in _witness()],
        signed,
        _judges,
        weight=5,
    ),
    Parser("statement", _said, mutations.cbor, lambda: _message),
    Parser(
        "testimony",
        lambda: [encode_body(each) for some in _bodies().values() for each in some],
        mutations.cbor,
        lambda: _body,
    ),
)
