"""Rules of the operator: whom they concern, and which one decides."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PublicKey
from moltp2p.proto import access
from moltp2p.proto.access import (
    AccessRule,
    AccessRules,
    parse_subject,
    subject_text,
)
from moltp2p.proto.address import parse_ip, peer_id_of

BOB = peer_id_of(PublicKey(bytes(32)))


def rule(text: str, *, allows: bool = False, until_ms: int | None = None) -> AccessRule:
    return AccessRule(parse_subject(text), allows, "because", 1_000, until_ms)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:0DB8::1", "2001:db8::1"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
        (BOB, BOB),
    ],
)
def test_one_subject_has_one_spelling(text: str, written: str) -> None:
    assert subject_text(parse_subject(text)) == written


@pytest.mark.parametrize(
    "text",
    ["", "bob", "192.0.2.256", "192.0.2.7/24", "192.0.2.0/33", "fe80::1%eth0/64",
     "12D3KooWhoever", "/ip4/192.0.2.7", "1" * 1000],
)  # fmt: skip
def test_what_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_subject(text)

    assert raised.value.code == "bad-subject"
    assert "192.0.2.0/24" in raised.value.hint


@pytest.mark.parametrize(
    ("ip", "banned"),
    [
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("10.2.9.9", True),
        ("10.2.9.1", False),
        ("11.0.0.1", False),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
    ],
)
def test_the_narrowest_range_decides(ip: str, banned: bool) -> None:
    rules = AccessRules()
    rules.load(
        [
            rule("10.2.0.0/16", allows=True),
            rule("10.0.0.0/8"),
            rule("10.2.9.0/24"),
            rule("10.2.9.1", allows=True),
            rule("2001:db8::/32"),
        ]
    )

    assert rules.is_banned(parse_ip(ip)) is banned


def test_a_peer_is_banned_wherever_it_comes_from() -> None:
    rules = AccessRules()
    rules.put(rule("10.0.0.0/8", allows=True))
    rules.put(rule(BOB))

    assert rules.is_banned(parse_ip("10.0.0.1"), BOB)
    assert not rules.is_banned(parse_ip("10.0.0.1"))
    assert rules.is_allowed(parse_ip("10.0.0.1"))


def test_each_subject_has_one_rule_and_the_last_one_counts() -> None:
    rules = AccessRules()
    rules.put(rule("10.0.0.0/8"))
    rules.put(rule("10.0.0.0/8", allows=True))

    assert len(rules) == 1
    assert not rules.is_banned(parse_ip("10.0.0.1"))
    assert rules.remove(parse_subject("10.0.0.0/8"))
    assert not rules.remove(parse_subject("10.0.0.0/8"))
    assert not rules.remove(parse_subject(BOB))
    assert len(rules) == 0


def test_a_rule_ends_when_it_said() -> None:
    rules = AccessRules()
    rules.put(rule("10.0.0.1", until_ms=5_000))
    rules.put(rule(BOB, until_ms=6_000))
    rules.put(rule("10.0.0.2"))

    assert rules.expire(4_999) == []
    assert [each.subject for each in rules.expire(5_000)] == [parse_subject("10.0.0.1")]
    assert [each.subject for each in rules.expire(9_000)] == [BOB]
    assert rules.expire(2**60) == []


def test_there_is_an_end_to_rules_and_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MAX_RULES", 2)
    rules = AccessRules()
    rules.put(rule("10.0.0.1"))
    rules.put(rule(BOB))
    rules.put(rule("10.0.0.1", allows=True))

    with pytest.raises(UsageError) as full:
        rules.put(rule("10.0.0.2"))
    with pytest.raises(UsageError) as long:
        rules.put(AccessRule(BOB, False, "x" * 201, 0))

    assert (full.value.code, long.value.code) == ("too-many-rules", "bad-subject")


ADDRESSES = st.one_of(
    st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address),
    st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address),
)


@given(st.lists(st.tuples(ADDRESSES, st.integers(0, 128), st.booleans())), ADDRESSES)
def test_the_look_up_agrees_with_looking_at_every_rule(
    made: list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int, bool]],
    asked: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    rules = AccessRules()
    for ip, length, allows in made:
        length = min(length, ip.max_prefixlen)  # noqa: PLW2901 - fits the family
        network = ipaddress.ip_network((ip, length), strict=False)
        rules.put(rule(str(network), allows=allows))
    last = made[0][0] if made else asked

    for each in (asked, last):
        one = parse_subject(str(each))
        assert not isinstance(one, str)
        around = [
            found
            for found in rules.rules()
            if not isinstance(found.subject, str)
            and found.subject.version == one.version
            and one.subnet_of(found.subject)  # type: ignore[arg-type]
        ]
        narrowest = max(around, key=lambda f: f.subject.prefixlen, default=None)  # type: ignore[union-attr]
        assert rules.of_address(each) == narrowest
