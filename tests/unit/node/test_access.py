"""Bans: kept over restarts, held to at once, and ended when they said."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import PeerId
from moltp2p.net.memory import MemoryHub, memory_peer_id, open_memory_network
from moltp2p.net.switch import Switch
from moltp2p.node.access import ACCESS_FILE, AccessDesk, AccessFile
from moltp2p.proto.access import parse_subject


def now_ms() -> int:
    return round(trio.current_time() * 1000)


BOB = memory_peer_id(b"bob")


async def test_a_ban_outlives_the_node(tmp_path: Path) -> None:
    file = AccessFile(tmp_path)
    async with open_memory_network(MemoryHub(), b"alice") as alice:
        desk = AccessDesk(file, alice, now_ms)
        await desk.put(BOB, allows=False, reason="spam, “often”", for_s=None)
        some = parse_subject("10.0.0.0/8")
        await desk.put(some, allows=True, reason="", for_s=3600)
        made = desk.rules()

    assert file.read() == made
    assert (tmp_path / ACCESS_FILE).stat().st_mode & 0o777 == 0o600
    async with open_memory_network(MemoryHub(), b"alice") as alice:
        await AccessDesk(file, alice, now_ms).begin(file.read())
        assert alice.access.rules() == made


@pytest.mark.parametrize("subject", [BOB, "10.0.1.1", "10.0.0.0/16"])
async def test_whom_a_ban_concerns_is_gone_and_stays_away(
    tmp_path: Path, subject: str
) -> None:
    hub = MemoryHub()
    async with (
        open_memory_network(hub, b"bob") as bob,
        open_memory_network(hub, b"alice") as alice,
    ):
        desk = AccessDesk(AccessFile(tmp_path), alice, now_ms)
        there = bob.addresses()[0]
        await bob.dial(alice.addresses()[0])
        assert [info.peer for info in alice.peers()] == [BOB]

        await desk.put(parse_subject(subject), allows=False, reason="", for_s=None)

        assert alice.peers() == []
        with pytest.raises(LocalError) as raised:
            await alice.dial(bob.addresses()[0])
        assert raised.value.code == "banned"
        await trio.testing.wait_all_tasks_blocked()
        if subject != BOB:  # else the handshake must tell first who it is
            with pytest.raises(Exception, match="banned"):
                await bob.dial(alice.addresses()[0])
        assert alice.peers() == []

        await desk.remove(parse_subject(subject))
        await alice.dial(there)
        assert [info.peer for info in alice.peers()] == [BOB]


async def test_many_who_do_not_read_are_turned_out_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    hub = MemoryHub()
    async with (
        open_memory_network(hub, b"alice") as alice,
        AsyncExitStack() as stack,
    ):
        for number in range(20):
            name = f"mallory {number}".encode()
            mallory = await stack.enter_async_context(open_memory_network(hub, name))
            await mallory.dial(alice.addresses()[0])
        assert isinstance(alice, Switch)
        disconnect = alice.disconnect

        async def slowly(peer: PeerId) -> None:
            await trio.sleep(alice.limits.close_s)
            await disconnect(peer)

        monkeypatch.setattr(alice, "disconnect", slowly)
        desk, before = AccessDesk(AccessFile(tmp_path), alice, now_ms), now_ms()
        everybody = parse_subject("10.0.0.0/8")
        await desk.put(everybody, allows=False, reason="", for_s=None)

        assert alice.peers() == []
        assert now_ms() - before == 1_000 * alice.limits.close_s


async def test_a_banned_peer_is_turned_away_once_it_says_who_it_is(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    hub = MemoryHub()
    async with (
        open_memory_network(hub, b"bob") as bob,
        open_memory_network(hub, b"alice") as alice,
    ):
        desk = AccessDesk(AccessFile(tmp_path), alice, now_ms)
        await desk.put(BOB, allows=False, reason="", for_s=None)

        await bob.dial(alice.addresses()[0])
        await trio.sleep(1)

        assert alice.peers() == []
        assert bob.peers() == []
        assert alice.stats().refused == {"banned": 1}


async def test_a_rule_ends_by_itself(tmp_path: Path, mock_clock: MockClock) -> None:
    file = AccessFile(tmp_path)
    async with (
        open_memory_network(MemoryHub(), b"alice") as alice,
        trio.open_nursery() as nursery,
    ):
        desk = AccessDesk(file, alice, now_ms)
        nursery.start_soon(desk.expire)
        await desk.put(BOB, allows=False, reason="", for_s=10)
        await desk.put(parse_subject("10.0.0.1"), allows=False, reason="", for_s=None)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(9.9)
        await trio.testing.wait_all_tasks_blocked()
        assert len(alice.access) == len(file.read()) == 2

        mock_clock.jump(0.2)
        while len(file.read()) == 2:
            await trio.lowlevel.checkpoint()

        assert alice.access.rules() == file.read() == desk.rules()
        nursery.cancel_scope.cancel()


async def test_a_rule_that_ended_while_we_were_off_is_gone(tmp_path: Path) -> None:
    file = AccessFile(tmp_path)
    async with open_memory_network(MemoryHub(), b"alice") as alice:
        desk = AccessDesk(file, alice, lambda: 1_000)
        await desk.put(BOB, allows=False, reason="", for_s=10)
        alice.access.remove(BOB)
        later = AccessDesk(file, alice, lambda: 11_000)
        await later.begin(file.read())
        assert later.rules() == []


async def test_one_does_not_ban_oneself(tmp_path: Path) -> None:
    async with open_memory_network(MemoryHub(), b"bob") as bob:
        desk = AccessDesk(AccessFile(tmp_path), bob, now_ms)
        with pytest.raises(UsageError, match="this node itself"):
            await desk.put(BOB, allows=False, reason="", for_s=None)
        with pytest.raises(UsageError) as raised:
            await desk.remove(BOB)
        assert raised.value.code == "no-such-rule"


async def test_what_cannot_be_kept_is_not_done(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    async with open_memory_network(MemoryHub(), b"alice") as alice:
        desk = AccessDesk(AccessFile(gone), alice, now_ms)
        with pytest.raises(LocalError) as raised:
            await desk.put(BOB, allows=False, reason="", for_s=None)
        assert raised.value.code == "home-failed"
        assert desk.rules() == []


GOOD = {"subject": BOB, "allows": False, "reason": "", "since_ms": 0, "until_ms": None}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "moltp2p-access/2", "rules": []}',
        '{"format": "moltp2p-access/1"}',
        '{"format": "moltp2p-access/1", "rules": [{}]}',
        json.dumps({"format": "moltp2p-access/1", "rules": [GOOD]})[:-9],
        json.dumps(
            {"format": "moltp2p-access/1", "rules": [GOOD | {"subject": "bob"}]}
        ),
        json.dumps({"format": "moltp2p-access/1", "rules": [GOOD | {"allows": 1}]}),
    ],
)
def test_a_damaged_file_is_told_of_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / ACCESS_FILE).write_text(text)

    with pytest.raises(LocalError) as raised:
        AccessFile(tmp_path).read()

    assert raised.value.code == "bad-access-file"
    assert (tmp_path / ACCESS_FILE).read_text() == text


def test_without_a_file_there_are_no_rules(tmp_path: Path) -> None:
    assert AccessFile(tmp_path).read() == []
