"""A den of Sybils, on sockets: they listen, join, attack and leave when told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
import trio

from moltp2p.core.errors import UsageError
from moltp2p.net.host import open_host
from moltp2p.testing.sybils.den import Den, DenSettings
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow

SETTINGS = DenSettings(
    count=2,
    network="test-net",
    behaviours=[{"name": "graft-flood", "per_beat": 1}],
    seed="1",
    targets=[],
    are_listed=False,
)


@asynccontextmanager
async def open_den(settings: DenSettings) -> AsyncIterator[Den]:
    async with AsyncExitStack() as stack:
        den = Den(settings, stack)
        await den.open()
        yield den


async def test_the_seed_says_who_they_are() -> None:
    async with open_den(SETTINGS) as den:
        peers = den.peers()
    async with open_den(SETTINGS) as den:
        again = den.peers()
    async with open_den(replace(SETTINGS, seed="2")) as den:
        others = den.peers()

    assert peers == again
    assert len({*peers, *others}) == 4


@pytest.mark.parametrize("are_listed", [True, False])
async def test_they_dial_when_they_join_and_not_before(are_listed: bool) -> None:
    async with open_host(bytes(32), ["/ip4/127.0.0.1/tcp/0"]) as victim:
        targets = victim.addresses()
        settings = replace(SETTINGS, targets=targets, are_listed=are_listed)
        async with open_den(settings) as den:
            await den.answer("attack", None)  # before there is anybody to attack
            assert victim.peers() == []
            await den.answer("join", None)
            with trio.fail_after(PATIENCE_S):
                while len(victim.peers()) < 2:  # noqa: ASYNC110 - no event for this
                    await trio.sleep(0.05)

            assert {info.peer for info in victim.peers()} == set(den.peers())
            assert all(liar.is_attacking for liar in den._liars)
            assert await den.answer("leave", None) == {}
        with trio.fail_after(PATIENCE_S):
            while victim.peers():  # noqa: ASYNC110 - no event for this
                await trio.sleep(0.05)


async def test_what_they_are_not_told_to_do_is_refused() -> None:
    async with open_den(replace(SETTINGS, count=0)) as den:
        with pytest.raises(UsageError, match="bad-call"):
            await den.answer("repent", None)
