"""Peer records as bytes: signed envelopes of libp2p, as its identify carries them.

What is signed is the domain, the payload's type and the payload, each after its
length (libp2p RFC 0002). py-libp2p's own reader takes keys and addresses of every
kind; here only what spec 04 allows comes through.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError
from libp2p.peer.pb.crypto_pb2 import KeyType
from libp2p.peer.pb.crypto_pb2 import PublicKey as Key
from libp2p.peer.pb.envelope_pb2 import Envelope
from libp2p.peer.pb.peer_record_pb2 import PeerRecord as Payload

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId, PublicKey
from moltp2p.core.keys import Signer, verify
from moltp2p.proto.address import (
    PEER_ID_PREFIX,
    Address,
    Scope,
    address_bytes,
    can_be_dialled,
    peer_id_of,
    read_address,
    scope_of,
)
from moltp2p.proto.framing import encode_varint
from moltp2p.proto.peers.peer_record import (
    MAX_PEER_RECORD_BYTES,
    MAX_PER_RECORD,
    PeerRecord,
)

DOMAIN: Final = b"libp2p-peer-record"  # SPEC 04: "`libp2p-peer-record`"
PAYLOAD_TYPE: Final = b"\x03\x01"  # SPEC 04: "`0301`"


def seal_record(signer: Signer, seq: int, addresses: tuple[Address, ...]) -> PeerRecord:
    """Return the record of the node with that key.

    Args:
        signer: the node's key.
        seq: the time of signing, milliseconds since 1970 UTC.
        addresses: of that node; at least one, all of one scope.
    """
    peer = PEER_ID_PREFIX + signer.public
    listed = [Payload.AddressInfo(multiaddr=address_bytes(each)) for each in addresses]
    payload = Payload(peer_id=peer, seq=seq, addresses=listed).SerializeToString()
    envelope = Envelope(
        public_key=Key(Type=KeyType.Ed25519, Data=signer.public),
        payload_type=PAYLOAD_TYPE,
        payload=payload,
        signature=signer.sign(_signed(payload)),
    )
    wire = envelope.SerializeToString()
    scope = scope_of(addresses[0].endpoint.ip)
    return PeerRecord(peer_id_of(signer.public), seq, scope, addresses, wire)


def open_record(wire: bytes) -> PeerRecord:
    """Return what an envelope holds, once its signature was checked.

    Addresses of forms that we do not know, or that nobody could dial, are left out.

    Raises:
        PeerError: `bad-peer-record`.
    """
    if len(wire) > MAX_PEER_RECORD_BYTES:
        raise PeerError("bad-peer-record", f"{len(wire)} bytes")
    try:
        envelope = Envelope.FromString(wire)
        payload = Payload.FromString(envelope.payload)
    except DecodeError as error:
        raise PeerError("bad-peer-record", str(error)) from error
    key = _key(envelope)
    if payload.peer_id != PEER_ID_PREFIX + key:
        raise PeerError("bad-peer-record", "signed by somebody else than it is about")
    if not verify(key, _signed(envelope.payload), envelope.signature):
        raise PeerError("bad-peer-record", "not signed by its key")
    peer = peer_id_of(key)
    addresses = _addresses(payload, peer)
    scopes = {scope_of(each.endpoint.ip) for each in addresses}
    if len(scopes) > 1:
        raise PeerError("bad-peer-record", "addresses of several scopes")
    scope = min(scopes, default=Scope.NOWHERE)
    return PeerRecord(peer, payload.seq, scope, addresses, wire)


def _key(envelope: Envelope) -> PublicKey:
    key = envelope.public_key
    if key.Type != KeyType.Ed25519 or len(key.Data) != 32:
        raise PeerError("bad-peer-record", "not of an Ed25519 key")
    if envelope.payload_type != PAYLOAD_TYPE:
        raise PeerError("bad-peer-record", "not a peer record")
    return PublicKey(key.Data)


def _addresses(payload: Payload, peer: PeerId) -> tuple[Address, ...]:
    if not 0 < len(payload.addresses) <= MAX_PER_RECORD:
        raise PeerError("bad-peer-record", f"{len(payload.addresses)} addresses")
    found = [read_address(each.multiaddr, peer) for each in payload.addresses]
    known = [each for each in found if each and can_be_dialled(each.endpoint)]
    return tuple(dict.fromkeys(known))


def _signed(payload: bytes) -> bytes:
    parts = (DOMAIN, PAYLOAD_TYPE, payload)
    return b"".join(encode_varint(len(part)) + part for part in parts)
