"""What is counted while a simulation runs."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from moltp2p.core.ids import MessageId
from moltp2p.proto.gossip.events import Validate
from moltp2p.proto.gossip.settings import SEEN_S
from moltp2p.testing.sim.messages import Published, is_valid, number_of


@dataclass(slots=True)
class Traffic:
    """What happened on the wire, over all honest nodes.

    Attributes:
        deliveries: valid messages accepted by a node that did not publish them.
        duplicates: further copies of a valid message, that honest nodes sent.
        sybil_duplicates: and that Sybils sent.
        invalid: invalid messages received.
        sent_bytes: all that honest nodes sent.
        control_bytes: the part of it in RPCs without messages.
        sybil_bytes: all that honest nodes were sent by Sybils.
        lost: RPCs of honest nodes that vanished on the way.
        overflowed: messages that honest nodes had no room to send.
    """

    deliveries: int = 0
    duplicates: int = 0
    sybil_duplicates: int = 0
    invalid: int = 0
    sent_bytes: int = 0
    control_bytes: int = 0
    sybil_bytes: int = 0
    lost: int = 0
    overflowed: int = 0

    def since(self, earlier: Traffic) -> Traffic:
        """Return what was added since an earlier copy."""
        names = (each.name for each in fields(self))
        return Traffic(*(getattr(self, n) - getattr(earlier, n) for n in names))


@dataclass(slots=True)
class Safety:
    """Breaches of what must hold whatever anybody does.

    Attributes:
        invalid_accepted: invalid messages that a node accepted.
        delivered_twice: valid messages that a node accepted again.
        judged_again: messages that a router handed to the judge although it had
            done so within the seen window.
        passed_unjudged: messages that a router sent without having accepted them.
    """

    invalid_accepted: int = 0
    delivered_twice: int = 0
    judged_again: int = 0
    passed_unjudged: int = 0

    @property
    def is_kept(self) -> bool:
        """Whether there was no breach."""
        return self == Safety()


@dataclass(slots=True)
class Memory:
    """What one honest node has met, kept apart from its router, to check it.

    Attributes:
        accepted: ids accepted or published: the store.
        numbers: the valid messages among them.
        judged_at: when ids were last handed to the judge, on each topic.
    """

    accepted: set[MessageId] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)
    judged_at: dict[tuple[str, MessageId], float] = field(default_factory=dict)


class Meter:
    """Counts what honest nodes do, and notices what they must not do."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        self.safety = Safety()
        self.published: list[Published] = []

    def publishes(self, memory: Memory, message: Published, key: MessageId) -> None:
        """Note a message that a node publishes."""
        self.published.append(message)
        memory.accepted.add(key)
        memory.numbers.add(message.number)

    def judges(
        self, memory: Memory, action: Validate, now: float, *, restarted_at: float
    ) -> None:
        """Note that a router hands a message to the judge.

        A router that was started anew has an empty seen window.
        """
        key = action.topic, action.message_id
        before = memory.judged_at.get(key)
        if before is not None and before >= max(now - SEEN_S, restarted_at):
            self.safety.judged_again += 1
        memory.judged_at[key] = now

    def accepts(
        self, node: int, memory: Memory, key: MessageId, data: bytes, now: float
    ) -> None:
        """Note that a message was accepted."""
        if not is_valid(data):
            self.safety.invalid_accepted += 1
            return
        number = number_of(data)
        if number in memory.numbers:
            self.safety.delivered_twice += 1
            return
        memory.accepted.add(key)
        memory.numbers.add(number)
        self.traffic.deliveries += 1
        message = self.published[number]
        message.receivers.append(node)
        message.delays_s.append(now - message.at_s)

    def pushes(self, memory: Memory, key: MessageId) -> None:
        """Note that a router sends a message."""
        if key not in memory.accepted:
            self.safety.passed_unjudged += 1
