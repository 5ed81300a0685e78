"""Reads packs, and says exactly what is wrong with one (spec 08, section 6)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final, cast

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.limits import TASK_PATTERN
from moltp2p.proof.cast import NAMES
from moltp2p.proof.families import FAMILIES
from moltp2p.proof.pack import PACK_FORMAT, Library, Pack, Phrase, Scene
from moltp2p.proof.world import Family, Kinds

MAX_PACK_BYTES: Final = 1_048_576  # SPEC 08: "at most 1,048,576 bytes"
MAX_PHRASE_CHARS: Final = 200  # SPEC 08: "phrase of at most 200 characters"
MAX_PHRASES: Final = 1_000
"""For one kind; more than enough for a pack that a model keeps adding to."""
MAX_SCENES: Final = 64
MIN_PHRASES: Final = 1  # SPEC 08: "at least one phrase"

_FIELDS: Final = frozenset({"format", "name", "memo", "recall", "aside", "scenes"})
_SCENE_FIELDS: Final = frozenset({"family", "words", "links", "phrases"})
_COMMON: Final[Kinds] = {
    "memo": frozenset({"role", "name"}),
    "recall": frozenset({"role"}),
    "aside": frozenset(),
}
_ASIDE_MAY: Final = frozenset({"n"})
_BRACES: Final = re.compile(r"\{[a-z]+\}")
_WORD: Final = re.compile(r"[A-Za-z]+")
_CAST: Final = frozenset(name.lower() for name in NAMES)


def read_pack(data: bytes, name: str) -> Pack:
    """Return the pack that a file holds.

    Args:
        data: the file's bytes.
        name: what to call the file in the words for its author.

    Raises:
        UsageError: `bad-pack`, with the first thing that is wrong.
    """
    value, wrong = look_at(data)
    if wrong:
        raise UsageError(
            "bad-pack", f"{name}: {wrong[0]}", f"run: moltp2p packs check {name}"
        )
    return _pack(cast("dict[str, Any]", value))


def look_at(data: bytes) -> tuple[object, list[str]]:
    """Return a pack's JSON, and a sentence for each thing that is wrong with it."""
    if len(data) > MAX_PACK_BYTES:
        return None, [f"the file has more than {MAX_PACK_BYTES:,} bytes"]
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        return None, [f"not JSON: {error}"]
    return value, list(_pack_problems(value))


def _pack_problems(value: object) -> Iterator[str]:
    if not isinstance(value, dict):
        yield "not a JSON object"
        return
    yield from _unknown(value, _FIELDS, "the pack")
    if value.get("format") != PACK_FORMAT:
        yield f'"format" is not "{PACK_FORMAT}"'
    if not isinstance(value.get("name"), str):
        yield '"name" is missing, or no text'
    for kind, slots in _COMMON.items():
        may = _ASIDE_MAY if kind == "aside" else frozenset()
        yield from _phrase_problems(value.get(kind, []), slots, may, f'"{kind}"')
    scenes = value.get("scenes", [])
    if not isinstance(scenes, list) or len(scenes) > MAX_SCENES:
        yield f'"scenes" is not a list of at most {MAX_SCENES}'
        return
    for number, scene in enumerate(scenes, 1):
        yield from _scene_problems(scene, f"scene {number}")


def _unknown(
    value: dict[str, object], known: frozenset[str], where: str
) -> Iterator[str]:
    for field in sorted(value.keys() - known):
        yield f'{where} has a field "{field}" that this program does not know'


def _scene_problems(scene: object, where: str) -> Iterator[str]:
    if not isinstance(scene, dict):
        yield f"{where} is not a JSON object"
        return
    yield from _unknown(scene, _SCENE_FIELDS, where)
    try:
        family = Family(str(scene.get("family")))
    except ValueError:
        yield f'{where}: "family" is none of {", ".join(Family)}'
        return
    where = f"{where} ({family})"
    words, links = scene.get("words", {}), scene.get("links", [])
    yield from _word_problems(words, where)
    if not isinstance(links, list):
        yield f'{where}: "links" is not a list'
    for link in links if isinstance(links, list) else []:
        yield from _text_problems(link, f'{where}, "links": {link!r}')
    own = frozenset(words) if isinstance(words, dict) else frozenset()
    yield from _kind_problems(scene.get("phrases"), FAMILIES[family].kinds, own, where)


def _word_problems(words: object, where: str) -> Iterator[str]:
    if not isinstance(words, dict):
        yield f'{where}: "words" is not a JSON object'
        return
    for slot, options in words.items():
        spot = f'{where}, words "{slot}"'
        if not re.fullmatch("[a-z]{3,}", slot):
            yield f"{spot}: a word's slot has three or more small letters"
        if not isinstance(options, list) or not options:
            yield f"{spot}: not a list with something in it"
            continue
        for option in options:
            yield from _text_problems(option, f"{spot}: {option!r}")


def _kind_problems(
    phrases: object, kinds: Kinds, own: frozenset[str], where: str
) -> Iterator[str]:
    if not isinstance(phrases, dict):
        yield f'{where}: "phrases" is missing, or no JSON object'
        return
    for kind in sorted(phrases.keys() - kinds.keys()):
        yield f'{where}: there is no kind "{kind}" in this family'
    for kind, slots in kinds.items():
        spot = f'{where}, kind "{kind}"'
        given = phrases.get(kind, [])
        if isinstance(given, list) and len(given) < MIN_PHRASES:
            yield f"{spot}: no phrase"
        yield from _phrase_problems(given, slots, own, spot)


def _phrase_problems(
    phrases: object, slots: frozenset[str], may: frozenset[str], where: str
) -> Iterator[str]:
    if not isinstance(phrases, list) or len(phrases) > MAX_PHRASES:
        yield f"{where}: not a list of at most {MAX_PHRASES:,} phrases"
        return
    for number, phrase in enumerate(phrases, 1):
        spot = f"{where}, phrase {number}"
        yield from _text_problems(phrase, spot)
        if isinstance(phrase, str):
            yield from _slot_problems(phrase, slots, may, spot)


def phrase_problems(
    phrase: str, slots: frozenset[str], may: frozenset[str]
) -> list[str]:
    """Return what is wrong with one phrase.

    Args:
        phrase: as a pack writes it.
        slots: those that it must have.
        may: those that it may have besides.
    """
    return list(_phrase_problems([phrase], slots, may, "the phrase"))


def _slot_problems(
    phrase: str, slots: frozenset[str], may: frozenset[str], where: str
) -> Iterator[str]:
    found = Phrase.parse(phrase).slots
    for slot in sorted(slots - found):
        yield f"{where}: lacks {{{slot}}}"
    for slot in sorted(found - slots - may):
        yield f"{where}: nothing fills {{{slot}}}"


def _text_problems(text: object, where: str) -> Iterator[str]:
    if not isinstance(text, str) or not re.fullmatch(TASK_PATTERN, text):
        yield f"{where}: not a text of printable ASCII"
        return
    if len(text) > MAX_PHRASE_CHARS:
        yield f"{where}: more than {MAX_PHRASE_CHARS} characters"
    bare = _BRACES.sub("", text)
    if "{" in bare or "}" in bare:
        yield f"{where}: a brace that belongs to no slot"
    if re.search(r"\d", bare):
        yield f"{where}: a digit; numbers come from the world alone"
    for word in _WORD.findall(bare):
        if word.lower() in _CAST:
            yield f"{where}: {word!r} is a name that worlds use"


def _pack(value: dict[str, Any]) -> Pack:
    return Pack(
        value["name"],
        tuple(map(_scene, value.get("scenes", []))),
        *(_phrases(value.get(kind, [])) for kind in _COMMON),
    )


def _scene(value: dict[str, dict[str, list[str]]]) -> Scene:
    return Scene(
        Family(str(value["family"])),
        {slot: tuple(options) for slot, options in value.get("words", {}).items()},
        tuple(value.get("links", [])),
        {kind: _phrases(given) for kind, given in value["phrases"].items()},
    )


def _phrases(texts: Sequence[str]) -> tuple[Phrase, ...]:
    return tuple(map(Phrase.parse, texts))


def built_in() -> list[Pack]:
    """Return the packs that come with the program."""
    folder = resources.files("moltp2p.proof") / "builtin"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return [
        read_pack(file.read_bytes(), file.name)
        for file in files
        if file.name.endswith(".json")
    ]


def load_library(folder: Path | None = None) -> Library:
    """Return an operator's packs, and the built-in ones for what is not in them.

    Args:
        folder: `packs` in the home; it need not exist.

    Raises:
        UsageError: `bad-pack`.
        LocalError: `home-failed` when a file cannot be read.
    """
    own: list[Pack] = []
    for file in sorted(folder.glob("*.json")) if folder else []:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise LocalError(
                "home-failed", f"{file} cannot be read: {error.strerror}"
            ) from None
        own.append(read_pack(data, str(file)))
    return Library.of(own, built_in())
