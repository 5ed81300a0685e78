"""Lets a model write a pack: each phrase said in other words, and put to the test.

The worlds of a session are not known before it, so texts cannot be worded ahead.
Phrases can: a model says a sentence about a made-up clause in other words, the
names and numerals are found again in what it said, and become slots. A phrase is
kept when the operator's own solver answers every trial text that has it. So a pack
grows while the node is idle, and a session asks no model at all.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from moltp2p.core.errors import UsageError
from moltp2p.proof.answers import read_answer
from moltp2p.proof.dice import Dice
from moltp2p.proof.families import FAMILIES
from moltp2p.proof.pack import Library, Pack, Phrase, Scene
from moltp2p.proof.pack_reading import phrase_problems
from moltp2p.proof.tasks import draw_world
from moltp2p.proof.wording import spelt, word
from moltp2p.proof.world import Clause, World

Ask = Callable[[str], Awaitable[str]]
"""Asks a model: returns what it says to a text."""

TRIALS: Final = 3
"""How many tasks with a new phrase must be solved."""
DRAWS: Final = 400
"""How many worlds are drawn to find one with a clause of some kind."""
OWN_PHRASES: Final = 2
"""With so many phrases of its own, a kind lets go of those that are public."""

REQUEST: Final = (
    "Say the following in other words, in one plain English sentence that means "
    "exactly the same. Keep every name and every number as it is written. "
    "Answer with that sentence alone.\n\n"
)


@dataclass(frozen=True, slots=True)
class Spot:
    """What a new phrase is wanted for: a kind of clause in one scene of a pack."""

    scene: int
    kind: str


def spots(pack: Pack) -> list[Spot]:
    """Return all that a pack can grow in."""
    return [
        Spot(at, kind)
        for at, scene in enumerate(pack.scenes)
        for kind, slots in FAMILIES[scene.family].kinds.items()
        if "parts" not in slots
    ]


def thinnest(pack: Pack, public: frozenset[str], dice: Dice) -> Spot:
    """Return a spot with the fewest phrases that are not public."""
    counts = {
        spot: len(_own(pack.scenes[spot.scene].phrases[spot.kind], public))
        for spot in spots(pack)
    }
    least = min(counts.values())
    return dice.choice([spot for spot, count in counts.items() if count == least])


def _own(phrases: Sequence[Phrase], public: frozenset[str]) -> list[Phrase]:
    return [phrase for phrase in phrases if phrase.text not in public]


def texts_of(packs: Sequence[Pack]) -> frozenset[str]:
    """Return the phrases of packs that everybody can read."""
    return frozenset(
        phrase.text
        for pack in packs
        for scene in pack.scenes
        for phrases in scene.phrases.values()
        for phrase in phrases
    )


def grown(pack: Pack, spot: Spot, phrase: Phrase, public: frozenset[str]) -> Pack:
    """Return a pack with one phrase more, and without public ones not needed now."""
    scene = pack.scenes[spot.scene]
    own = [*_own(scene.phrases[spot.kind], public), phrase]
    kept = own if len(own) >= OWN_PHRASES else [*scene.phrases[spot.kind], phrase]
    changed = replace(scene, phrases={**scene.phrases, spot.kind: tuple(kept)})
    scenes = [*pack.scenes[: spot.scene], changed, *pack.scenes[spot.scene + 1 :]]
    return replace(pack, scenes=tuple(scenes))


async def paraphrased(
    library: Library, pack: Pack, spot: Spot, dice: Dice, ask: Ask, solve: Ask
) -> Phrase | None:
    """Return a new phrase for a spot, or None when what the model said will not do.

    Args:
        library: for what the pack does not have, as memos and asides.
        pack: the pack that is to grow.
        spot: what the phrase is for.
        dice: for names, numbers and texts; nobody else may know its seed.
        ask: the model that finds other words.
        solve: the operator's solver, as for challenges.

    Raises:
        LocalError: as `ask` and `solve` do.
    """
    scene = pack.scenes[spot.scene]
    clause = _clause(scene, spot.kind, dice)
    if clause is None:
        return None
    words = _words(scene, clause, dice)
    old = dice.choice(scene.phrases[spot.kind])
    phrase = phrase_of(await ask(REQUEST + old.filled(words)), words)
    if phrase is None or phrase in scene.phrases[spot.kind]:
        return None
    slots = FAMILIES[scene.family].kinds[spot.kind]
    if phrase_problems(phrase.text, slots, frozenset(scene.words)):
        return None
    changed = replace(scene, phrases={**scene.phrases, spot.kind: (phrase,)})
    trial = replace(library, scenes={**library.scenes, scene.family: (changed,)})
    for _ in range(TRIALS):
        if not await _is_solved(trial, changed, spot.kind, dice, solve):
            return None
    return phrase


def _world(scene: Scene, kind: str, dice: Dice) -> World | None:
    """Return a world that has a clause of a kind, if the dice give one."""
    for _ in range(DRAWS):
        world = draw_world(scene.family, dice)
        if any(clause.kind == kind for clause in world.clauses):
            return world
    return None


def _clause(scene: Scene, kind: str, dice: Dice) -> Clause | None:
    """Return a clause of a kind in which no two slots hold the same."""
    world = _world(scene, kind, dice)
    found = [each for each in world.clauses if each.kind == kind] if world else []
    told = found[0].slots if found else ()
    values = [value for _, value in told]
    return found[0] if found and len(set(values)) == len(values) else None


def _words(scene: Scene, clause: Clause, dice: Dice) -> dict[str, str]:
    """Return what stands in the slots of a sentence, numbers in digits."""
    own = {slot: dice.choice(options) for slot, options in scene.words.items()}
    return own | {slot: spelt(slot, value) for slot, value in clause.slots}


def phrase_of(said: str, words: Mapping[str, str]) -> Phrase | None:
    """Return what a model said as a phrase: each word given to it a slot again.

    Words that are missing leave no slot; whoever checks the phrase will see.
    """
    sentence = " ".join(said.split()).strip("\"'").rstrip(".?! ")
    if not sentence or "{" in sentence or "}" in sentence:
        return None
    for slot in sorted(words, key=lambda slot: -len(words[slot])):
        pattern = rf"(?<![\w:{{]){re.escape(words[slot])}(?![\w:}}])"
        sentence = re.sub(pattern, f"{{{slot}}}", sentence)
    if sentence[1:2].islower():
        sentence = sentence[0].lower() + sentence[1:]
    return Phrase.parse(sentence)


async def _is_solved(
    library: Library, scene: Scene, kind: str, dice: Dice, solve: Ask
) -> bool:
    """Tell whether the solver answers a task in which a phrase occurs."""
    world = _world(scene, kind, dice)
    if world is None:
        return False
    said = await solve(word(world, library, dice))
    try:
        return read_answer(said) == FAMILIES[scene.family].answer(world.clauses)
    except UsageError:
        return False
