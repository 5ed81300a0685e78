"""An agent whose records were lost asks peers for them before it writes again.

Whoever wrote on with an empty memory, or an old one, would use a `seq` twice: a fork,
which anybody can prove (spec 06, section 6).
"""

from __future__ import annotations

from typing import Final

import trio

from moltp2p.core.codec import MAX_INT
from moltp2p.core.errors import LocalError, MoltError, PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.log import get_logger
from moltp2p.node.authorship import Authorship
from moltp2p.node.sync.syncing import Syncing
from moltp2p.proto.sync.fetch import AskChain, AskSequence

LOOK_S: Final = 1.0
"""Between two looks for peers that were not asked yet."""

GRACE_S: Final = 5.0
"""After the first answer: others may be about to connect, and know more."""

ANSWER_S: Final = 120.0
"""The longest that one peer is asked; others may be quicker."""

AGAIN_S: Final = 60.0
"""From asking a peer to asking it again: it may have heard more by then.

Where all peers are new to the agent, that is how long it has to wait: by then they
hold what we hold, and have it from us. They vouch for nothing, so it must not be
sooner. What protects is the time: whoever knows more may be found and asked in it.
"""

log = get_logger(__name__)


async def catch_up(authorship: Authorship, syncing: Syncing) -> None:
    """Ask every peer that comes for the agent's records, until it may write again.

    It may once a peer has told that it holds all that we hold of the agent's, or more,
    all that are there by then were asked, and the agent's first record is here. Who
    has heard of less knows nothing of what may be missing. Returns at once when
    nothing is missing.
    """
    ask_at: dict[PeerId, float] = {}
    may_end_at: float | None = None
    while await trio.to_thread.run_sync(lambda: authorship.is_behind):
        present, now = syncing.willing(), trio.current_time()
        ask_at = {peer: ask_at.get(peer, now) for peer in present}
        for peer in [peer for peer in present if ask_at[peer] <= now]:
            ask_at[peer] = now + AGAIN_S
            if await _ask(authorship, syncing, peer) and may_end_at is None:
                may_end_at = trio.current_time() + GRACE_S
        if may_end_at is not None and trio.current_time() >= may_end_at:
            await _finish(authorship)
        await trio.sleep(LOOK_S)


async def _ask(authorship: Authorship, syncing: Syncing, peer: PeerId) -> bool:
    """Fetch what a peer holds of the agent's that is newer than what we hold.

    Returns:
        Whether it told all of it, and holds our newest record at least.
    """
    agent, head = authorship.agent, await authorship.head()
    first: int | None = 0 if head is None else head.seq
    knows = False
    try:
        with trio.move_on_after(ANSWER_S):
            await syncing.ask(peer, AskChain(agent))
            while first is not None:
                told = await syncing.ask(peer, AskSequence(agent, first, MAX_INT))
                if not told.records:
                    return knows  # it may name a next place for ever
                knows, first = True, told.next_seq
            return knows
    except (PeerError, LocalError) as error:
        log.info("own records not told", peer=peer, code=error.code)
    return False


async def _finish(authorship: Authorship) -> None:
    try:
        if await authorship.catch_up():
            log.info("own records are here; the agent may write")
    except MoltError as error:
        # Old key files, a full disk: whoever wants to write is told.
        log.warning("the agent cannot write yet", code=error.code)
