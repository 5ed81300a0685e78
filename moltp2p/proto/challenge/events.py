"""What goes into the machines of a challenge, and what comes out (spec 07).

Both machines are driven alike. The driver carries out the actions in order, tells
what came of them as events, and gives `TimedOut` once `machine.deadline` has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from moltp2p.core.challenge.attested import Attested
from moltp2p.core.challenge.fraud import Fraud
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.work import Ticket
from moltp2p.core.ids import AgentId, PeerId, PublicKey
from moltp2p.core.keys import Signer


class Tasks(Protocol):
    """The public half of the tasks, the same for both parties (spec 08).

    Attributes:
        version: what an application and an offer call it.
    """

    @property
    def version(self) -> str:
        """Return the version's name."""
        ...

    def batch(self, seed: bytes, round_: int, count: int) -> Sequence[Any]:
        """Return the worlds of a round."""
        ...

    def answers(self, worlds: Sequence[Any]) -> list[str]:
        """Return the answer of each world."""
        ...

    def carries(self, world: Any, text: str) -> bool:  # noqa: ANN401  # any world
        """Tell whether a text holds every name and numeral of a world."""
        ...


Words: TypeAlias = Callable[[Any], str]
"""The private half: a challenger's own wording of a world."""


def is_first_key(agent: AgentId, key: PublicKey) -> bool:
    """Tell whether a key is the one that an agent is named after."""
    return PublicKey(agent) == key


@dataclass(frozen=True, slots=True)
class Party:
    """One of the two, as it knows itself and its world.

    Attributes:
        agent: its agent.
        signer: the key now in force.
        peer: its node.
        network: the network's name.
        tasks: what can be asked.
        random_bytes: so many bytes that nobody can foresee.
        reigns: tells whether a key is an agent's own now, as far as is known.
    """

    agent: AgentId
    signer: Signer
    peer: PeerId
    network: str
    tasks: Tasks
    random_bytes: Callable[[int], bytes]
    reigns: Callable[[AgentId, PublicKey], bool] = is_first_key

    @property
    def key(self) -> PublicKey | None:
        """Return the key to name in a statement; None while it is the first."""
        key = self.signer.public
        return None if key == PublicKey(self.agent) else key


@dataclass(frozen=True, slots=True)
class Received:
    """A whole frame has come; its payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Hashed:
    """The value of the ticket that `HashTicket` asked for."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """What the solver says to `Ask`; None where it has no answer of the right form."""

    answers: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The machine's deadline has passed."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The other party has closed the stream, or it was lost."""


ChallengeEvent: TypeAlias = Received | Hashed | Answered | TimedOut | Closed


@dataclass(frozen=True, slots=True)
class Send:
    """Send the payload of a frame."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class HashTicket:
    """Compute a ticket's value, off the loop: it is one Argon2id."""

    subject: AgentId
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the solver.

    Attributes:
        number: the round.
        texts: the tasks. A stranger wrote them: no tools, no secrets.
        reminder: what to show beside them: in later rounds the very first text, for
            what it told is asked for.
        limit_ms: how long there is.
    """

    number: int
    texts: tuple[str, ...]
    reminder: tuple[str, ...]
    limit_ms: int


@dataclass(frozen=True, slots=True)
class Keep:
    """Publish an attestation; it is on disk before the next action is carried out.

    A challenger that forgot a slot it has signed would sign it again, and convict
    itself.
    """

    attested: Attested


@dataclass(frozen=True, slots=True)
class Passed:
    """The session ended with an attestation."""

    attested: Attested


@dataclass(frozen=True, slots=True)
class Failed:
    """The session ended without one.

    Attributes:
        code: a registry word.
        message: the same for a person.
        heard: all that was signed until then. With `wrong-world` it shows anybody
            who has the tasks that the challenger lied (`shows_wrong_world`).
        fraud: what the challenger can be convicted of, to be published.
    """

    code: str
    message: str
    heard: tuple[Statement, ...] = ()
    fraud: Fraud | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Close the stream once all is sent; the machine takes no more events."""

    outcome: Passed | Failed


ChallengeAction: TypeAlias = Send | HashTicket | Ask | Keep | Done
