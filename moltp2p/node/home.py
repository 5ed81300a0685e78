"""A node's home: one folder, 0700, with its keys, its store and its socket.

config.toml       settings (node/config.py)
peer.key          the node's libp2p identity
agent.key         the agent's signing key now in force
agent.next.key    the key to rotate to; keep a copy elsewhere
agent.after.key   only while a rotation is under way (see `prepare_rotation`)
agent.wrote       empty; there once the agent has written its first record
access.json       bans and allowances (node/access.py)
peers.json        the address book (node/peer_shelf.py)
records/          the store
api.sock          the local API, while a node runs
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import AgentId, PublicKey, agent_text, parse_agent
from moltp2p.core.keys import SEED_BYTES, Signer

KEY_FORMAT: Final = "moltp2p-key/1"  # SPEC 01: "`moltp2p-key/1`"
HOME_MODE: Final = 0o700  # SPEC 01: "a folder of mode 0700"
KEY_MODE: Final = 0o600  # SPEC 01: "files of mode 0600"
MAX_KEY_FILE_BYTES: Final = 4_096

Draw = Callable[[int], bytes]
"""Returns that many secret random bytes."""


@dataclass(frozen=True, slots=True)
class Key:
    """What one key file holds.

    Attributes:
        role: `peer`, `agent` or `next`.
        seed: 32 secret bytes.
        agent: whose key it is; None for a peer's.
    """

    role: str
    seed: bytes
    agent: AgentId | None = None

    @property
    def public(self) -> PublicKey:
        """Return the public half."""
        return Signer(self.seed).public

    @property
    def owner(self) -> AgentId:
        """Return whose key it is.

        Raises:
            UsageError: `no-agent` when it is a peer's.
        """
        if self.agent is None:
            raise UsageError("no-agent", "a peer's key belongs to no agent")
        return self.agent

    def __repr__(self) -> str:
        """Name the key by its public half alone."""
        return f"Key({self.role}, {self.public.hex()})"


@dataclass(frozen=True, slots=True)
class Home:
    """The paths in a home, and its key files."""

    path: Path

    @property
    def records(self) -> Path:
        """Return where the store is."""
        return self.path / "records"

    @property
    def peers(self) -> Path:
        """Return where the address book is."""
        return self.path / "peers.json"

    @property
    def socket(self) -> Path:
        """Return where the local API listens while a node runs."""
        return self.path / "api.sock"

    @property
    def has_agent(self) -> bool:
        """Tell whether an agent lives here."""
        return self._file("agent").exists()

    @property
    def has_written(self) -> bool:
        """Tell whether the agent has written a record, wherever that is now."""
        return self._wrote.exists()

    def note_written(self) -> None:
        """Remember that the agent has written, whatever becomes of its store.

        Raises:
            LocalError: `home-failed`.
        """
        if self.has_written:
            return
        with _writing(self._wrote):
            self._wrote.touch(KEY_MODE)
            _sync_folder(self.path)

    def forget_written(self) -> None:
        """Let the agent begin anew: whoever says so knows that nobody heard of it.

        Raises:
            LocalError: `home-failed`.
        """
        with _writing(self._wrote):
            self._wrote.unlink(missing_ok=True)

    @property
    def _wrote(self) -> Path:
        return self.path / "agent.wrote"

    def create(self) -> None:
        """Make the folder, if it is not there.

        Raises:
            LocalError: `home-failed`, `key-permissions`.
        """
        try:
            self.path.mkdir(mode=HOME_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise LocalError(
                "home-failed",
                f"{self.path} cannot be made: {error.strerror}",
                "choose another folder with --home",
            ) from None
        self.check()

    def check(self) -> None:
        """Refuse a home that is missing, or that others can enter.

        Raises:
            LocalError: `home-missing`, `key-permissions`.
        """
        if not self.path.is_dir():
            raise LocalError(
                "home-missing",
                f"there is no home at {self.path}",
                "make one with `moltp2p init`, or name another with --home",
            )
        _refuse_wider(self.path, HOME_MODE)

    def init_agent(self, draw: Draw) -> AgentId:
        """Make an agent's first two keys.

        Raises:
            UsageError: `home-exists` when an agent lives here already.
            LocalError: as `create`.
        """
        self.create()
        if self.has_agent:
            raise UsageError(
                "home-exists",
                f"an agent lives in {self.path} already",
                "choose another folder with --home; nothing was changed",
            )
        seed = draw(SEED_BYTES)
        agent = AgentId(Signer(seed).public)
        # The next key first: an agent without one could never rotate.
        self._write("agent.next", Key("next", draw(SEED_BYTES), agent))
        self._write("agent", Key("agent", seed, agent))
        return agent

    def agent_key(self) -> Key:
        """Return the agent's key now in force.

        Raises:
            LocalError: `home-missing`, `bad-key-file`, `key-permissions`.
        """
        return self._read("agent", "agent")

    def next_key(self) -> Key:
        """Return the key to rotate to.

        Raises:
            LocalError: as `agent_key`.
        """
        return self._read("agent.next", "next")

    def peer_key(self, draw: Draw) -> Key:
        """Return the node's libp2p key, made on the first call.

        Raises:
            LocalError: as `agent_key`.
        """
        if not self._file("peer").exists():
            self._write("peer", Key("peer", draw(SEED_BYTES)))
        return self._read("peer", "peer")

    def prepare_rotation(self, draw: Draw) -> Key:
        """Return the key after the next one, once it is on disk.

        It must be safe before the rotate record commits to it. One that was
        prepared before is taken again: whoever was told that a rotation failed
        cannot know whether its record is on the disk, and names that key.

        Raises:
            LocalError: as `agent_key`; `home-failed`.
        """
        if not self._file("agent.after").exists():
            after = Key("next", draw(SEED_BYTES), self.agent_key().agent)
            self._write("agent.after", after)
        return self._read("agent.after", "next")

    def settle_rotation(self, in_force: PublicKey | None) -> None:
        """Finish a rotation that was begun, if its record was stored.

        Called after the rotate record is stored, at each start, and before each
        rotation, so that a crash or a full disk between any two steps is mended.

        Args:
            in_force: the agent's key as its stored key chain says.

        Raises:
            LocalError: as `agent_key`; `home-failed`.
        """
        after, following = self._file("agent.after"), self._file("agent.next")
        if not (after.exists() and following.exists()):
            return
        current = self.next_key()
        if current.public != in_force:
            return
        self._write("agent", Key("agent", current.seed, current.agent))
        with _writing(following):
            after.replace(following)
            _sync_folder(self.path)

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.key"

    def _write(self, name: str, key: Key) -> None:
        """Put a key file in place whole, or not at all."""
        fields = {"format": KEY_FORMAT, "role": key.role, "public": key.public.hex()}
        if key.agent is not None:
            fields["agent"] = agent_text(key.agent)
        fields["seed"] = key.seed.hex()
        path = self._file(name)
        draft = path.with_suffix(".part")
        with _writing(path):
            draft.unlink(missing_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_MODE)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps(fields, indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            _sync_folder(self.path)

    def _read(self, name: str, role: str) -> Key:
        path = self._file(name)
        self.check()
        try:
            _refuse_wider(path, KEY_MODE)
            with path.open("rb") as file:
                text = file.read(MAX_KEY_FILE_BYTES)
        except FileNotFoundError:
            raise LocalError(
                "home-missing",
                f"there is no {path.name} in {self.path}",
                "make an agent with `moltp2p init`, or put back your copy",
            ) from None
        except OSError as error:
            raise _bad_key_file(path, error.strerror or "unreadable") from None
        return _parse_key(path, text, role)


def _parse_key(path: Path, text: bytes, role: str) -> Key:
    """Return the key in a file, refusing one that contradicts itself."""
    try:
        fields = json.loads(text)
        seed = bytes.fromhex(fields["seed"])
        agent = None if role == "peer" else parse_agent(fields["agent"])
        key = Key(fields["role"], seed, agent)
        whole = (fields["format"], fields["public"]) == (KEY_FORMAT, key.public.hex())
    except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
        raise _bad_key_file(path, f"{type(error).__name__}") from None
    if not whole or key.role != role:
        raise _bad_key_file(path, "its fields contradict each other")
    return key


def _bad_key_file(path: Path, why: str) -> LocalError:
    return LocalError(
        "bad-key-file",
        f"{path} is not a key file of this program: {why}",
        "put back your copy of it; the file was left as it is",
    )


def _refuse_wider(path: Path, mode: int) -> None:
    found = stat.S_IMODE(path.stat().st_mode)
    if found & ~mode:
        raise LocalError(
            "key-permissions",
            f"{path} has mode {found:04o}, which lets others in",
            f"run: chmod {mode:o} {path}",
        )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the system says to a key file's writing into words of ours."""
    try:
        yield
    except OSError as error:
        raise LocalError(
            "home-failed",
            f"{path} cannot be written: {error.strerror}",
            "make room or give this user the folder; no key is lost",
        ) from None


def _sync_folder(path: Path) -> None:
    """Make a rename durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
