"""A small name server on loopback, and what it is told to say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import trio

from moltp2p.net.finding.names import Names


@dataclass
class NameServer:
    """Answers over UDP.

    Attributes:
        port: where it answers, on 127.0.0.1.
        zone: texts of the records, by name and kind.
        asked: how many questions came.
        fails: whether it answers SERVFAIL to everything.
        is_silent: whether it says nothing at all.
    """

    port: int
    zone: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    asked: int = 0
    fails: bool = False
    is_silent: bool = False

    def put(self, name: str, kind: str, *texts: str) -> None:
        """Let a name have records, in place of those it had."""
        self.zone[name, kind] = list(texts)

    def list_peers(self, name: str, *entries: str) -> None:
        """Let `/dnsaddr/NAME` lead to `entries`."""
        texts = [f'"dnsaddr={each}"' for each in entries]
        self.put(f"_dnsaddr.{name}", "TXT", *texts)

    @property
    def names(self) -> Names:
        """Return what looks names up here."""
        return Names(["127.0.0.1"], self.port)

    def answer(self, wire: bytes) -> bytes:
        query = dns.message.from_wire(wire)
        self.asked += 1
        reply = dns.message.make_response(query)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        if self.fails:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif texts := self.zone.get((name, kind)):
            found = dns.rrset.from_text_list(question.name, 60, "IN", kind, texts)
            reply.answer.append(found)
        elif not any(known == name for known, _ in self.zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire(max_size=65_535)


@asynccontextmanager
async def open_name_server() -> AsyncIterator[NameServer]:
    """Run a name server for the length of the block."""
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as socket:
        await socket.bind(("127.0.0.1", 0))
        server = NameServer(socket.getsockname()[1])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_serve, socket, server)
            yield server
            nursery.cancel_scope.cancel()


async def _serve(socket: trio.socket.SocketType, server: NameServer) -> None:
    while True:
        wire, asker = await socket.recvfrom(4_096)
        reply = server.answer(wire)
        if not server.is_silent:
            await socket.sendto(reply, asker)
