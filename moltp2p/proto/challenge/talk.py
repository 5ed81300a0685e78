"""One session's talk, as one party keeps it: what was said, by which keys."""

from __future__ import annotations

from typing import TypeVar

from moltp2p.core.challenge.spelling import read, write
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import Testimony
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import AgentId, PublicKey
from moltp2p.proto.challenge.events import Party, Send
from moltp2p.proto.challenge.messages import encode_message

Said = TypeVar("Said", bound=Testimony)


class Talk:
    """Says, hears, and keeps all that was said in order.

    Args:
        party: who we are.
    """

    def __init__(self, party: Party) -> None:
        self._party = party
        self._key: PublicKey | None = None
        self.heard: list[Statement] = []

    def say(self, testimony: Testimony) -> Send:
        """Sign a testimony, keep it, and return what sends it."""
        statement = write(testimony, self._party.signer, self._party.network)
        self.heard.append(statement)
        return Send(encode_message(statement))

    def believe(self, agent: AgentId, key: PublicKey | None) -> None:
        """Take the other party for this agent, if the key is its own.

        Raises:
            PeerError: `wrong-party`.
        """
        named = PublicKey(agent) if key is None else key
        if not self._party.reigns(agent, named):
            raise PeerError(
                "wrong-party",
                "a key that is not the agent's, as far as is known here",
                "publish the rotation, and apply again when it is known",
            )
        self._key = named

    def hold(self, statement: Statement) -> None:
        """Keep a statement of the other party, if it is signed.

        Raises:
            PeerError: `bad-statement`.
        """
        if self._key is None or not statement.is_by(self._key, self._party.network):
            raise PeerError("bad-statement", "not signed by the other party")
        self.heard.append(statement)

    def first(self, word: str) -> Statement:
        """Return the first statement with this word; there must be one."""
        return next(each for each in self.heard if each.word == word)

    def hear(self, statement: Statement, says: type[Said], session: bytes) -> Said:
        """Return what a statement says, kept, signed, and of this session.

        Raises:
            PeerError: `bad-statement`, or a code of `codec.decode`.
        """
        said = read(statement, says)
        if getattr(said, "session", session) != session:
            raise PeerError("bad-statement", f"a {statement.word} of another session")
        self.hold(statement)
        return said
