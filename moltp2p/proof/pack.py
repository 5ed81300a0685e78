"""Phrase packs: how one challenger puts worlds into words (spec 08, section 6).

The worlds are public, the words are not: a script that has seen one pack can do
little with another. A pack is a JSON file; operators keep their own in the
folder `packs` of the home, and never show them to anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.proof.world import Family

PACK_FORMAT: Final = "moltp2p-pack/1"  # SPEC 08: "`moltp2p-pack/1`"

_SLOT: Final = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence with slots in it.

    Attributes:
        pieces: literal text and slots' names in turn; literals at even places.
    """

    pieces: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Phrase:
        """Return the phrase that a pack writes as text."""
        return cls(tuple(_SLOT.split(text)))

    @property
    def text(self) -> str:
        """Return the phrase as a pack writes it."""
        return "".join(
            f"{{{piece}}}" if at % 2 else piece for at, piece in enumerate(self.pieces)
        )

    @property
    def slots(self) -> frozenset[str]:
        """Return the names of its slots."""
        return frozenset(self.pieces[1::2])

    def filled(self, words: Mapping[str, str]) -> str:
        """Return the phrase with each slot filled in."""
        return "".join(
            words[piece] if at % 2 else piece for at, piece in enumerate(self.pieces)
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """One setting of one family.

    Attributes:
        family: whose worlds it words.
        words: for slots that no world fills, what to fill them with; one is
            drawn for a whole text.
        links: what may stand before a step that follows another.
        phrases: for each kind of clause, the ways to say it.
    """

    family: Family
    words: Mapping[str, Sequence[str]]
    links: Sequence[str]
    phrases: Mapping[str, Sequence[Phrase]]


@dataclass(frozen=True, slots=True)
class Pack:
    """What one file holds.

    Attributes:
        name: what its author calls it.
        scenes: of any families.
        memo: ways to tell whose name a role stands for, for later.
        recall: ways to call somebody by a role told earlier.
        aside: sentences that mean nothing to any task.
    """

    name: str
    scenes: tuple[Scene, ...] = ()
    memo: tuple[Phrase, ...] = ()
    recall: tuple[Phrase, ...] = ()
    aside: tuple[Phrase, ...] = ()


def pack_value(pack: Pack) -> dict[str, object]:
    """Return a pack as its file's JSON."""
    return {
        "format": PACK_FORMAT,
        "name": pack.name,
        "memo": [phrase.text for phrase in pack.memo],
        "recall": [phrase.text for phrase in pack.recall],
        "aside": [phrase.text for phrase in pack.aside],
        "scenes": [
            {
                "family": scene.family.value,
                "words": {slot: list(words) for slot, words in scene.words.items()},
                "links": list(scene.links),
                "phrases": {
                    kind: [phrase.text for phrase in phrases]
                    for kind, phrases in scene.phrases.items()
                },
            }
            for scene in pack.scenes
        ],
    }


@dataclass(frozen=True, slots=True)
class Library:
    """All packs of one challenger, as wording needs them."""

    scenes: Mapping[Family, tuple[Scene, ...]]
    memo: tuple[Phrase, ...]
    recall: tuple[Phrase, ...]
    aside: tuple[Phrase, ...]

    @classmethod
    def of(cls, packs: Sequence[Pack], fallback: Sequence[Pack] = ()) -> Library:
        """Return the packs as one; `fallback` serves what they do not have at all.

        An operator's scenes of a family thus stand in for all built-in ones.
        """
        own, spare = _merged(packs), _merged(fallback)
        return cls(
            {each: own.scenes[each] or spare.scenes[each] for each in Family},
            own.memo or spare.memo,
            own.recall or spare.recall,
            own.aside or spare.aside,
        )


def _merged(packs: Sequence[Pack]) -> Library:
    scenes = [scene for pack in packs for scene in pack.scenes]
    return Library(
        {each: tuple(s for s in scenes if s.family is each) for each in Family},
        tuple(phrase for pack in packs for phrase in pack.memo),
        tuple(phrase for pack in packs for phrase in pack.recall),
        tuple(phrase for pack in packs for phrase in pack.aside),
    )
