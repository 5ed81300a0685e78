"""Slots: who may connect."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)

from moltp2p.core.errors import LocalError
from moltp2p.net.admission import Slot, Slots
from moltp2p.net.base import ConnectionLimits, LimitUse
from moltp2p.proto.access import AccessRule, parse_subject
from moltp2p.proto.address import parse_ip

FULL = "too-many-connections"
LIMITS = ConnectionLimits(total=5, inbound=4, per_address=2, per_subnet=3, handshakes=3)


def test_a_dial_beyond_the_limit_is_this_machines_fault() -> None:
    slots = Slots(ConnectionLimits(total=1))
    with (
        slots.hold_outbound(),
        pytest.raises(LocalError) as raised,
        slots.hold_outbound(),
    ):
        pass

    assert raised.value.code == "too-many-connections"
    assert slots.total == 0


@pytest.mark.parametrize(
    ("held", "asked", "code"),
    [
        (["9.0.0.1"] * 2, "9.0.0.1", "too-many-from-address"),
        (["9.0.0.1"] * 2, "9.0.0.2", None),
        (["9.0.0.1", "9.0.0.2", "9.0.0.3"], "9.0.0.4", "too-many-from-subnet"),
        (["9.0.0.1", "9.0.0.2", "9.0.0.3"], "9.0.1.1", None),
        (["2a00::1", "2a00::2", "2a00::3"], "2a00::4", "too-many-from-subnet"),
        (["2a00::1", "2a00::2", "2a00::3"], "2a00:1::1", None),
        (["::ffff:9.0.0.1", "9.0.0.1"], "9.0.0.1", "too-many-from-address"),
        (["1.0.0.1", "2.0.0.1", "3.0.0.1", "4.0.0.1"], "9.0.0.1", FULL),
        (["127.0.0.1"] * 3, "127.0.0.1", None),
    ],
)  # fmt: skip
def test_neighbours_share_a_limit(
    held: list[str], asked: str, code: str | None
) -> None:
    slots = Slots(LIMITS)
    with ExitStack() as stack:
        for ip in held:
            stack.enter_context(slots.hold_inbound(parse_ip(ip))).secured()
        assert slots.refusal(parse_ip(asked), 0.0) == code

    assert slots.refusal(parse_ip(asked), 0.0) is None


RATES = ConnectionLimits(handshakes_per_s=2, address_per_s=1)


def test_one_address_may_come_only_so_often_and_costs_others_nothing() -> None:
    slots = Slots(RATES)
    mallory, bob = parse_ip("9.0.0.1"), parse_ip("9.0.0.2")

    codes = [slots.refusal(mallory, now=0.0) for _ in range(10_000)]

    assert codes == [None] * 8 + ["too-often-from-address"] * 9_992
    assert [slots.refusal(bob, now=0.0) for _ in range(8)] == [None] * 8
    assert slots.refusal(mallory, now=1.0) is None
    assert slots.refusal(mallory, now=1.0) == "too-often-from-address"


def test_a_64_of_ipv6_is_one_stranger() -> None:
    slots = Slots(RATES)

    codes = [slots.refusal(parse_ip(f"2a00::{n:x}"), now=0.0) for n in range(100)]

    assert codes == [None] * 8 + ["too-often-from-address"] * 92
    assert slots.refusal(parse_ip("2a00:0:0:1::1"), now=0.0) is None


def test_one_address_cannot_take_all_handshakes() -> None:
    slots = Slots(ConnectionLimits(handshakes=8, per_address=100, per_subnet=100))
    mallory = parse_ip("9.0.0.1")
    with ExitStack() as stack:
        held = []
        while slots.refusal(mallory, 0.0) is None:
            held.append(stack.enter_context(slots.hold_inbound(mallory)))
        assert len(held) == 2
        assert slots.refusal(mallory, 0.0) == "too-many-from-address"
        assert slots.refusal(parse_ip("9.0.0.2"), 0.0) is None
        held[0].secured()
        assert slots.refusal(mallory, 0.0) is None
    assert not slots._shaking


@pytest.mark.parametrize("own", ["9.0.0.{}", "2a00:0:0:{:x}::1"])
def test_one_site_cannot_take_all_handshakes(own: str) -> None:
    slots = Slots(ConnectionLimits(handshakes=32))
    with ExitStack() as stack:
        codes = []
        for number in range(100):
            ip = parse_ip(own.format(number))
            codes.append(slots.refusal(ip, 0.0))
            if codes[-1] is None:
                stack.enter_context(slots.hold_inbound(ip))

        assert codes == [None] * 16 + ["too-many-from-subnet"] * 84
        assert slots.refusal(parse_ip("9.0.1.1"), 0.0) is None
    assert not slots._shaking
    assert not slots._sites


@pytest.mark.parametrize("own", ["9.0.0.{}", "2a00:0:0:{:x}::1"])
def test_one_site_may_come_only_half_as_often_as_all(own: str) -> None:
    slots = Slots(ConnectionLimits(handshakes_per_s=32, address_per_s=2))

    codes = [slots.refusal(parse_ip(own.format(n)), 0.0) for n in range(200)]

    assert codes == [None] * 128 + ["too-often-from-subnet"] * 72
    assert slots.refusal(parse_ip("9.0.1.1"), 0.0) is None


def test_a_48_of_ipv6_has_twice_what_a_64_has() -> None:
    slots = Slots(ConnectionLimits(inbound=448, total=512, per_subnet=32))
    with ExitStack() as stack:
        codes = []
        for number in range(100):
            ip = parse_ip(f"2a00:0:0:{number:x}::1")
            codes.append(slots.refusal(ip, float(number)))
            if codes[-1] is None:
                stack.enter_context(slots.hold_inbound(ip)).secured()

    assert codes == [None] * 64 + ["too-many-from-subnet"] * 36


def test_all_together_may_come_only_so_often() -> None:
    slots = Slots(RATES)

    codes = [slots.refusal(parse_ip(f"9.0.{n}.1"), now=0.0) for n in range(20)]

    assert codes == [None] * 16 + ["too-often"] * 4
    assert slots.refusal(parse_ip("9.1.0.1"), now=0.5) is None


def test_an_allowed_address_counts_with_nobody() -> None:
    slots = Slots(LIMITS)
    slots.access.put(AccessRule(parse_subject("9.0.0.0/24"), True, "ours", 0))
    with ExitStack() as stack:
        for _ in range(4):
            assert slots.refusal(parse_ip("9.0.0.1"), 0.0) is None
            stack.enter_context(slots.hold_inbound(parse_ip("9.0.0.1"))).secured()
        assert slots.refusal(parse_ip("9.0.0.1"), 0.0) == "too-many-connections"


def test_whom_the_operator_bans_is_refused_before_anything_is_counted() -> None:
    slots = Slots(RATES)
    slots.access.put(AccessRule(parse_subject("9.0.0.0/24"), False, "spam", 0))

    for _ in range(100):
        assert slots.refusal(parse_ip("::ffff:9.0.0.1"), 0.0) == "banned"
    slots.access.remove(parse_subject("9.0.0.0/24"))

    assert slots.refusal(parse_ip("9.0.0.1"), 0.0) is None
    assert slots.refused == {"banned": 100}


def test_each_limit_tells_what_of_it_is_in_use() -> None:
    slots = Slots(LIMITS)
    with ExitStack() as stack:
        for ip in ("9.0.0.1", "9.0.0.1", "9.0.0.2", "9.0.1.1"):
            assert slots.refusal(parse_ip(ip), 0.5) is None
            slot = stack.enter_context(slots.hold_inbound(parse_ip(ip)))
            if slots.total == 1:
                slot.secured()
        assert slots.refusal(parse_ip("9.0.9.1"), 0.5) == "too-many-connections"
        use = slots.use(now=1.5)

    assert use["per_address"] == LimitUse(2, 2, 0)
    assert use["per_subnet"] == LimitUse(3, 3, 0)
    assert use["handshakes"] == LimitUse(3, 3, 0)
    assert use["inbound"] == LimitUse(4, 4, 1)
    assert use["handshakes_per_s"].used == 4
    assert slots.use(now=9.0)["per_address"].used == 0


def test_only_so_many_may_be_shaking_hands() -> None:
    slots = Slots(LIMITS)
    with ExitStack() as stack:
        held = [
            stack.enter_context(slots.hold_inbound(parse_ip(f"9.0.{n}.1")))
            for n in range(3)
        ]
        assert slots.refusal(parse_ip("9.0.9.1"), 0.0) == "too-many-handshakes"
        held[0].secured()
        held[0].secured()
        assert slots.refusal(parse_ip("9.0.9.1"), 0.0) is None


class Counting(RuleBasedStateMachine):
    """Whatever comes and goes, nothing is counted that is not held."""

    held: Bundle[tuple[ExitStack, Slot]] = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.slots = Slots(LIMITS)
        self.count = 0

    @rule(target=held, ip=st.sampled_from(["9.0.0.1", "9.0.0.2", "2001:db9::1"]))
    def come(self, ip: str) -> tuple[ExitStack, Slot]:
        stack = ExitStack()
        self.count += 1
        return stack, stack.enter_context(self.slots.hold_inbound(parse_ip(ip)))

    @rule(one=held)
    def secure(self, one: tuple[ExitStack, Slot]) -> None:
        one[1].secured()

    @rule(one=consumes(held))
    def go(self, one: tuple[ExitStack, Slot]) -> None:
        one[0].close()
        self.count -= 1

    @invariant()
    def counts_what_is_held(self) -> None:
        assert self.slots.total == self.slots.inbound == self.count
        assert 0 <= self.slots.handshakes <= self.count
        assert sum(self.slots._addresses.values()) == 2 * self.count


TestCounting = Counting.TestCase
