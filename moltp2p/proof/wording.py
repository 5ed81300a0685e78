"""From a world to a text, by a pack and private dice (spec 08, section 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from moltp2p.core.limits import MAX_TASK_CHARS
from moltp2p.proof.dice import Dice
from moltp2p.proof.families import FAMILIES
from moltp2p.proof.numerals import MAX_IN_WORDS, ORDINALS, clock, in_words, ordinal
from moltp2p.proof.pack import Library, Phrase, Scene
from moltp2p.proof.world import CLOCK_SLOTS, ORDINAL_SLOTS, Clause, Memo, Slot, World

CLINGING: Final = frozenset({"correct", "again", "undo", "revert"})
"""Kinds that speak of the step just before: nothing may come between."""
ASIDE_NUMBERS: Final = (13, 98)
NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
TRIES: Final = 6
"""How often a text that came out too long is worded anew before the shortest
phrases are taken."""


def word(world: World, library: Library, dice: Dice) -> str:
    """Return a text about a world: within the limits, and carrying all of it."""
    scenes = library.scenes[world.family]
    for _ in range(TRIES):
        scene = dice.choice(scenes)
        text = _Wording(world, library, scene, dice).text()
        if len(text) <= MAX_TASK_CHARS:
            return text
    return shortest(world, library, dice.choice(scenes), dice)


def shortest(world: World, library: Library, scene: Scene, dice: Dice) -> str:
    """Return a text with the shortest phrase for everything, and no aside."""
    return _Wording(world, library, scene, dice, is_short=True).text()


class _Wording:
    """One text in the making."""

    def __init__(
        self,
        world: World,
        library: Library,
        scene: Scene,
        dice: Dice,
        *,
        is_short: bool = False,
    ) -> None:
        self._world = world
        self._library = library
        self._scene = scene
        self._dice = dice
        self._is_short = is_short
        words = {} if is_short else scene.words
        self._words = {slot: dice.choice(options) for slot, options in words.items()}
        if is_short:
            self._words = {s: min(o, key=len) for s, o in scene.words.items()}

    def text(self) -> str:
        """Return the whole text."""
        sentences = list(self._statements())
        if not self._is_short and self._dice.below(2):
            self._slip_in(sentences, self._aside())
        if self._world.memo:
            self._slip_in(sentences, self._memo(self._world.memo))
        told = [_sentence(said) for said, _ in sentences]
        form = FAMILIES[self._world.family].form
        return " ".join([*told, _sentence(self._question(), "?"), form])

    def _statements(self) -> Iterator[tuple[str, bool]]:
        """Yield all but the question, each with whether it clings to the one before."""
        for at, stage in enumerate(self._world.stages[:-1]):
            for clause in self._dice.shuffled(stage):
                said = self._say(clause)
                clings = clause.kind in CLINGING
                if at > 0 and len(stage) == 1 and not clings:
                    said = self._link() + said
                yield said, clings

    def _slip_in(self, sentences: list[tuple[str, bool]], said: str) -> None:
        free = [at for at, (_, clings) in enumerate(sentences) if not clings]
        sentences.insert(self._dice.choice([*free, len(sentences)]), (said, False))

    def _link(self) -> str:
        links = self._scene.links
        if self._is_short or not links or self._dice.below(2):
            return ""
        return self._dice.choice(links)

    def _say(self, clause: Clause, called: Mapping[str, str] = NOBODY) -> str:
        phrase = self._pick(self._scene.phrases[clause.kind])
        words = {slot: self._spelt(slot, value) for slot, value in clause.slots}
        words = {slot: called.get(said, said) for slot, said in words.items()}
        return phrase.filled(self._words | words)

    def _pick(self, phrases: Sequence[Phrase]) -> Phrase:
        if self._is_short:
            return min(phrases, key=lambda phrase: len(phrase.text))
        return self._dice.choice(phrases)

    def _spelt(self, slot: str, value: Slot) -> str:
        if isinstance(value, int):
            if slot in ORDINAL_SLOTS and self._dice.below(4) == 0:
                return ordinal(value)
            is_plain = slot not in ORDINAL_SLOTS | CLOCK_SLOTS
            if is_plain and value <= MAX_IN_WORDS and self._dice.below(3) == 0:
                return in_words(value)
        return spelt(slot, value)

    def _aside(self) -> str:
        number = self._dice.between(*ASIDE_NUMBERS)
        return self._pick(self._library.aside).filled({"n": str(number)})

    def _memo(self, memo: Memo) -> str:
        words = {"role": memo.role, "name": memo.name}
        return self._pick(self._library.memo).filled(words)

    def _question(self) -> str:
        clauses = self._world.stages[-1]
        called = self._called(self._world.recall) if self._world.recall else {}
        parts = [self._say(clause, called) for clause in clauses]
        if len(parts) == 1:
            return parts[0]
        frame = self._pick(self._scene.phrases["ask"])
        return frame.filled(self._words | {"parts": "; ".join(parts)})

    def _called(self, recall: Memo) -> dict[str, str]:
        """Return by what words the question calls a name."""
        phrase = self._pick(self._library.recall)
        return {recall.name: phrase.filled({"role": recall.role})}


def spelt(slot: str, value: Slot) -> str:
    """Return what stands in a slot as it is mostly written."""
    if isinstance(value, tuple):
        *most, last = map(str, value)
        return f"{', '.join(most)} and {last}"
    if isinstance(value, str):
        return value
    if slot in ORDINAL_SLOTS:
        return ORDINALS[value - 1]
    return clock(value) if slot in CLOCK_SLOTS else str(value)


def _sentence(said: str, end: str = ".") -> str:
    """Return words as a sentence: a capital first, and a mark at the end."""
    return said[0].upper() + said[1:] + ("" if said[-1] in ".?!:" else end)
