"""The peer exchange on streams: asking, answering, and saying where we listen."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import trio

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, PeerInfo, Stream
from moltp2p.net.containment import BLAMELESS
from moltp2p.net.finding.peer_records import open_record, seal_record
from moltp2p.net.log import get_logger
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.address import (
    Address,
    Endpoint,
    IpAddress,
    Scope,
    parse_address,
    parse_ip,
    scope_of,
)
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.offers import Offers
from moltp2p.proto.peers.peer_exchange import (
    ANSWER_FACTOR,
    MAX_MESSAGE_BYTES,
    PROTOCOL,
    Answer,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from moltp2p.proto.peers.peer_record import SIGN_AGAIN_S, PeerRecord, by_scope
from moltp2p.proto.peers.reachability import Reach, Reachability
from moltp2p.proto.peers.sightings import Sightings

log = get_logger(__name__)

EXCHANGE_S: Final = 5.0  # SPEC 04: "an ask and its answer, each | 5"
"""How long one ask and its answer may take, on either side."""

NOWHERE: Final = parse_ip("0.0.0.0")  # noqa: S104 - nothing is bound to it

# SPEC 04: "again within 0.5 seconds"
ASK_GAP_S: Final = 0.5


class Exchange:
    """Asks peers whom they know, and answers when they ask.

    Args:
        network: where they are.
        book: what is learned goes there.
        rng: for whom to name.
        clock_ms: the wall clock, milliseconds since 1970 UTC.
        announced: where the operator says that we can be reached; when empty, we
            tell where we listen, and our IP as several peers see it.

    Attributes:
        clock_ms: the wall clock.
        offers: whom we would name.
        sightings: what peers say of us.
        reach: whether others can dial us; told by whoever finds out.
        relayed: where relays take connections for us; told by whoever asks them.
    """

    def __init__(
        self,
        network: Network,
        book: AddressBook,
        rng: random.Random,
        clock_ms: Callable[[], int],
        announced: Sequence[Endpoint] = (),
    ) -> None:
        self.offers = Offers(network.peer_id)
        self.sightings = Sightings()
        self.reach = Reachability()
        self.relayed: list[Address] = []
        self._network = network
        self._book = book
        self._rng = rng
        self.clock_ms = clock_ms
        self._announced = announced
        self._signed: list[PeerRecord] = []
        self._signed_at = 0.0
        self._answered_at: dict[PeerId, float] = {}

    # -- what we say of ourselves ----------------------------------------------

    def addresses(self) -> list[Address]:
        """Return where we say that we can be dialled, behind relays first."""
        own = self._network.peer_id
        return [*self.relayed, *(Address(each, own) for each in self.endpoints())]

    def endpoints(self) -> list[Endpoint]:
        """Return where we say that we can be dialled ourselves.

        As peers see us, if nobody tried in vain; the rest we know of ourselves.
        """
        found = self.candidates()
        if self._announced or self.reach.verdict is not Reach.CLOSED:
            return found
        own = {parse_address(each).endpoint for each in self._network.addresses()}
        return [each for each in found if each in own]

    def candidates(self) -> list[Endpoint]:
        """Return where we might be dialled."""
        if self._announced:
            return list(self._announced)
        own = [parse_address(each).endpoint for each in self._network.addresses()]
        listening = [each for each in own if scope_of(each.ip) is not Scope.MACHINE]
        seen = [
            Endpoint(ip, each.port)
            for ip in self.sightings.believed()
            for each in listening
            if each.ip.version == ip.version
        ]
        return list(dict.fromkeys(own + seen))

    def _own_ips(self) -> set[IpAddress]:
        """Return the IPs at which others reach us, as far as anybody knows."""
        own = {parse_address(each).endpoint.ip for each in self._network.addresses()}
        announced = {each.ip for each in self._announced}
        return own | announced | set(self.sightings.believed())

    @property
    def has_news(self) -> bool:
        """Whether peers should be told anew where we listen."""
        signed = {each.scope: each.addresses for each in self._signed}
        age_s = trio.current_time() - self._signed_at
        return signed != by_scope(self.addresses()) or age_s > SIGN_AGAIN_S

    def _own_records(self, remote: IpAddress) -> list[bytes]:
        """Return our records for a peer there; it is not told of narrower scopes."""
        if self.has_news:
            wanted = by_scope(self.addresses())
            seq, signer = self.clock_ms(), self._network.signer
            self._signed = [seal_record(signer, seq, each) for each in wanted.values()]
            self._signed_at = trio.current_time()
        least = scope_of(remote)
        return [each.wire for each in self._signed if each.scope >= least]

    # -- asking ----------------------------------------------------------------

    async def ask(self, info: PeerInfo) -> None:
        """Ask a peer; what is wrong with its answer is counted against it."""
        try:
            await self._ask(info)
        except PeerError as error:
            # Whoever tries out whether we can be dialled is gone at once.
            tell = log.debug if error.code in BLAMELESS else log.info
            tell("peer-exchange-failed", peer=info.peer, code=error.code)
            self._network.report(info.peer, error.code)

    async def _ask(self, info: PeerInfo) -> None:
        address = parse_address(info.address)
        ip = address.endpoint.ip
        answer, sent_ms = await exchange(
            self._network, info.peer, self._own_records(ip), self.clock_ms
        )
        # Its clock when it answered is compared with ours halfway.
        halfway_ms = (sent_ms + self.clock_ms()) // 2
        # Through a relay it is the relay that is seen.
        seen = NOWHERE if address.relay else answer.seen
        self.sightings.hear(info.peer, ip, seen, answer.time_ms - halfway_ms)
        self._learn(info.peer, ip, [open_record(each) for each in answer.records])

    def _learn(self, peer: PeerId, ip: IpAddress, records: list[PeerRecord]) -> None:
        now, wall_ms = trio.current_time(), self.clock_ms()
        if self._ip_of(peer) is not None:  # else nobody would tell that it has gone
            self.offers.heard(peer, ip, [each for each in records if each.peer == peer])
        learned = self._book.learn(peer, ip, records, now, wall_ms)
        log.debug("peers-learned", source=peer, count=learned)

    # -- answering -------------------------------------------------------------

    async def answer(self, stream: Stream) -> None:
        """Serve one ask."""
        data = await FrameReader(stream, MAX_MESSAGE_BYTES).receive(EXCHANGE_S)
        records = [open_record(each) for each in decode_ask(data)]
        ip = self._ip_of(stream.peer)
        if ip is None:
            return
        answer = Answer(self._sample(stream.peer, ip, records), ip, self.clock_ms())
        reply = encode_answer(answer, ANSWER_FACTOR * len(data))
        await FrameWriter(stream, MAX_MESSAGE_BYTES).send(reply)

    def _sample(
        self, peer: PeerId, ip: IpAddress, records: list[PeerRecord]
    ) -> tuple[bytes, ...]:
        """Take what an asker says of itself, and return what it is told."""
        now, last = trio.current_time(), self._answered_at.get(peer, -ASK_GAP_S)
        if now - last < ASK_GAP_S:
            return ()
        self._answered_at[peer] = now
        if any(each.peer != peer for each in records):
            raise PeerError("bad-exchange", "an asker names somebody else")
        self._learn(peer, ip, records)
        others = self.offers.sample(
            peer, ip, self.clock_ms(), self._rng, self._own_ips()
        )
        return (*self._own_records(ip), *others)

    def _ip_of(self, peer: PeerId) -> IpAddress | None:
        info = self._network.info(peer)
        return None if info is None else parse_address(info.address).endpoint.ip

    # -- who is there ----------------------------------------------------------

    def reached(self, address: Address) -> None:
        """Note that we dialled a peer there."""
        self.offers.reached(address)

    def forget_absent(self) -> None:
        """Forget whoever left while nobody was told of it."""
        for peer in {*self._answered_at, *self.offers.peers()}:
            if self._network.info(peer) is None:
                self.gone(peer)

    def gone(self, peer: PeerId) -> None:
        """Forget a peer that left."""
        self.offers.gone(peer)
        self._answered_at.pop(peer, None)


async def exchange(
    network: Network,
    peer: PeerId,
    records: Sequence[bytes],
    clock_ms: Callable[[], int],
) -> tuple[Answer, int]:
    """Ask one connected peer; return its answer, and when it was asked.

    Raises:
        PeerError: `bad-exchange`, `too-slow`, and what a stream may raise.
    """
    stream = await network.open_stream(peer, [PROTOCOL])
    try:
        sent_ms = clock_ms()
        await FrameWriter(stream, MAX_MESSAGE_BYTES).send(encode_ask(records))
        data = await FrameReader(stream, MAX_MESSAGE_BYTES).receive(EXCHANGE_S)
    finally:
        await stream.close()
    return decode_answer(data), sent_ms
