"""One folder put in another's place, whenever that is cut off.

    records.part        being written; worth nothing
    records.mended      whole, and about to become `records`
    records.damaged-1   what `records` was before; kept until somebody removes it

Between the two renames there is no `records`: while `records.mended` is there nobody
begins a new store beside it, and the next repair makes the second rename.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.store import failures


@dataclass(frozen=True, slots=True)
class Replacing:
    """A store's folder, and those beside it.

    Attributes:
        folder: the store's.
    """

    folder: Path

    @property
    def part(self) -> Path:
        """Return where a new store is written."""
        return self.folder.with_name(f"{self.folder.name}.part")

    @property
    def mended(self) -> Path:
        """Return where it is once it is whole."""
        return self.folder.with_name(f"{self.folder.name}.mended")

    def begin(self) -> Path:
        """Return an empty place for a new store, without what was cut off before."""
        with self._using():
            shutil.rmtree(self.part, ignore_errors=True)
        return self.part

    def install(self) -> None:
        """Put the new store where there is none.

        Raises:
            UsageError: `store-exists`.
            LocalError: `disk-full`, `store-failed`.
        """
        self.check_free()
        with self._using():
            self.part.rename(self.folder)
            _sync(self.folder.parent)

    def check_free(self) -> None:
        """Refuse a place where there is a store.

        Raises:
            UsageError: `store-exists`.
        """
        if self.folder.exists() or self.mended.exists():
            raise UsageError(
                "store-exists",
                f"there is a store in {self.folder} already",
                "nothing was changed; move it aside, or choose another --home",
            )

    def swap(self) -> Path:
        """Put the new store in the old one's place; return where that is now.

        Raises:
            LocalError: `disk-full`, `store-failed`.
        """
        with self._using():
            self.part.rename(self.mended)
            _sync(self.folder.parent)
            aside = next(path for path in self._asides() if not path.exists())
            self.folder.rename(aside)
            _sync(self.folder.parent)
        self.finish()
        return aside

    def finish(self) -> bool:
        """Make the second rename, if that was cut off; tell whether it was.

        Where the first was not made either, the new store is let go of: the old one
        may have been written since.
        """
        if not self.mended.exists():
            return False
        with self._using():
            is_due = not (self.folder / "CURRENT").exists()
            if is_due:
                if self.folder.exists():
                    self.folder.rmdir()  # begun by whoever was refused it
                self.mended.rename(self.folder)
            else:
                shutil.rmtree(self.mended)
            _sync(self.folder.parent)
        return is_due

    def _asides(self) -> Iterator[Path]:
        names = (f"{self.folder.name}.damaged-{number}" for number in count(1))
        return map(self.folder.with_name, names)

    @contextmanager
    def _using(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise failures.of_system(self.folder, error) from None


def unfinished(folder: Path) -> LocalError | None:
    """Return why no store may begin in a folder, or None."""
    if not Replacing(folder).mended.exists():
        return None
    return LocalError(
        "repair-unfinished",
        f"a repair of {folder} was cut off before its last step",
        "moltp2p verify-store --repair takes that step; nothing is lost",
    )


def _sync(folder: Path) -> None:
    """Make renames durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
