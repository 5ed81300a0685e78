"""The strongest script: it has a pack's source, and all of ours.

What stands in its pack it parses word by word, so it does with that pack what a
model would. Of sentences that it does not know it takes the likeliest reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.proof.cast import DAYS, GOODS, HUES, NAMES, ROLES
from moltp2p.proof.families import FAMILIES
from moltp2p.proof.numerals import NUMBER_WORDS, ORDINAL_WORDS, in_words
from moltp2p.proof.pack import Library, Phrase, Scene
from moltp2p.proof.world import Clause, Family, Slot
from scripts.solvers.exam import Solver, Task


def _any_of(words: Sequence[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


NAME: Final = "(?-i:[A-Z][a-z]+)"
"""No other word of a sentence but its first has a capital."""
_SMALL: Final = _any_of([in_words(number) for number in range(20)])
_TENS: Final = _any_of([in_words(number) for number in range(20, 100, 10)])
NUMBER: Final = rf"\d+|(?:{_TENS})(?:-(?:{_SMALL}))?|{_SMALL}"
ORDINAL: Final = rf"[1-9](?:st|nd|rd|th)|{_any_of(list(ORDINAL_WORDS))}"
HUE: Final = _any_of(HUES)
GOOD: Final = _any_of(GOODS)
DAY: Final = _any_of(DAYS)


def _several(word: str) -> str:
    return rf"(?:{word})(?:, (?:{word}))* and (?:{word})"


SORTS: Final = {
    "a": NAME,
    "b": NAME,
    "n": NUMBER,
    "m": NUMBER,
    "nth": ORDINAL,
    "mth": ORDINAL,
    "hue": HUE,
    "good": GOOD,
    "other": GOOD,
    "day": DAY,
    "at": r"\d\d:\d\d",
    "names": _several(NAME),
    "hues": _several(HUE),
    "numbers": _several(r"\d+"),
    "role": _any_of(ROLES),
    "name": NAME,
    "parts": ".+",
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A phrase as something to look for."""

    kind: str
    expression: re.Pattern[str]


def read_slot(slot: str, said: str) -> Slot:
    """Return what a text's words in a slot mean."""
    said = said.strip()
    reader = READERS.get(slot, str.capitalize)
    return reader(said)


def number(said: str) -> int:
    """Return a number written in digits or words."""
    return int(said) if said.isdigit() else NUMBER_WORDS[said.lower()]


def place(said: str) -> int:
    """Return a place written as `3rd` or `third`."""
    return ORDINAL_WORDS.get(said.lower()) or int(said[0])


def several(said: str) -> tuple[str, ...]:
    """Return what a list in a sentence holds."""
    return tuple(re.split(", | and ", said))


READERS: Final[Mapping[str, Callable[[str], Slot]]] = {
    "names": several,
    "hues": several,
    "numbers": lambda said: tuple(map(int, several(said))),
    "n": number,
    "m": number,
    "nth": place,
    "mth": place,
    "at": lambda said: int(said[:2]) * 60 + int(said[3:]),
    "hue": str.lower,
    "good": str.lower,
    "other": str.lower,
}


def _expression(phrase: Phrase, scene: Scene | None, who: str) -> str:
    """Return a phrase as a regular expression, each slot a group of its name."""
    made = ""
    seen: set[str] = set()
    for at, piece in enumerate(phrase.pieces):
        if at % 2 == 0:
            made += re.escape(piece)
        elif scene and piece in scene.words:
            made += f"(?:{_any_of(list(scene.words[piece]))})"
        elif piece in seen:
            made += f"(?P={piece})"
        else:
            seen.add(piece)
            sort = f"{who}" if piece in "ab" else SORTS[piece]
            made += f"(?P<{piece}>{sort})"
    return made


class Grammar:
    """All that one library can say about one family."""

    def __init__(self, library: Library, family: Family) -> None:
        self.family = family
        callers = [_expression(each, None, NAME) for each in library.recall]
        called = [text.replace("?P<role>", "") for text in callers]
        self._callers = [re.compile(f"{text}$", re.IGNORECASE) for text in callers]
        self._who = "|".join([NAME, *called])
        self.scenes = [self._scene(scene) for scene in library.scenes[family]]
        self.asides = [
            Pattern(kind, self._compiled(_expression(phrase, None, NAME), ""))
            for kind, phrases in (("memo", library.memo), ("aside", library.aside))
            for phrase in phrases
        ]

    def _scene(self, scene: Scene) -> list[Pattern]:
        links = _any_of([*scene.links, ""])
        return [
            Pattern(kind, self._compiled(_expression(phrase, scene, self._who), links))
            for kind, phrases in scene.phrases.items()
            for phrase in phrases
        ]

    @staticmethod
    def _compiled(expression: str, links: str) -> re.Pattern[str]:
        return re.compile(
            f"(?:{links})(?:{expression})(?=[.?;] |[.?;]?$)", re.IGNORECASE
        )

    def clause(self, pattern: Pattern, groups: dict[str, str], earlier: str) -> Clause:
        """Return what a match says."""
        slots = {slot: self._named(said, earlier) for slot, said in groups.items()}
        pairs = [(slot, read_slot(slot, said)) for slot, said in slots.items()]
        return Clause(pattern.kind, tuple(pairs))

    def _named(self, said: str, earlier: str) -> str:
        """Return a name for words that call somebody by a role told earlier."""
        for caller in self._callers:
            if match := caller.match(said):
                return role_holder(match["role"], earlier) or said
        return said


def role_holder(role: str, earlier: str) -> str | None:
    """Return the name nearest to a role in an earlier text."""
    sentences = re.split(r"(?<=[.?]) ", earlier)
    told = next((each for each in sentences if role in each.lower()), "")
    found = re.search(_any_of(NAMES), told)
    return found[0] if found else None


def parse(grammar: Grammar, task: Task) -> list[Clause] | None:
    """Return the clauses of a text, or None where it says what no phrase says."""
    body = re.sub(r" Answer with .*$", "", task.text)
    for patterns in grammar.scenes:
        clauses = _parse(grammar, [*patterns, *grammar.asides], body, task)
        if clauses is not None:
            return clauses
    return None


def _parse(
    grammar: Grammar, patterns: Sequence[Pattern], body: str, task: Task
) -> list[Clause] | None:
    clauses: list[Clause] = []
    at = 0
    while at < len(body):
        best = longest(patterns, body, at)
        if best is None:
            return None
        pattern, match = best
        if pattern.kind == "ask" and "parts" in match.groupdict():
            asked = _parts(grammar, patterns, match["parts"], task)
            return None if asked is None else [*clauses, *asked]
        if pattern.kind not in ("memo", "aside"):
            groups = match.groupdict()
            clauses.append(grammar.clause(pattern, groups, " ".join(task.earlier)))
        at = match.end() + 2
    return clauses


def longest(
    patterns: Sequence[Pattern], text: str, at: int
) -> tuple[Pattern, re.Match[str]] | None:
    """Return the pattern that explains the most of a text from a place on."""
    found = ((each, each.expression.match(text, at)) for each in patterns)
    matches = [(pattern, match) for pattern, match in found if match]
    return max(matches, key=lambda pair: pair[1].end(), default=None)


def _parts(
    grammar: Grammar, patterns: Sequence[Pattern], text: str, task: Task
) -> list[Clause] | None:
    asking = [pattern for pattern in patterns if pattern.kind.startswith("ask_")]
    clauses = []
    for part in text.rstrip(".?").split("; "):
        best = longest(asking, part, 0)
        if best is None:
            return None
        earlier = " ".join(task.earlier)
        clauses.append(grammar.clause(best[0], best[1].groupdict(), earlier))
    return clauses


MIRRORED: Final = {
    "start_more": "start_fewer",
    "start_fewer": "start_more",
    "start_same": "start_same",
    "item_more": "item_fewer",
    "item_fewer": "item_more",
    "item_same": "item_same",
}
"""What a comparison becomes when it is told of the other of the two."""


def _turned(clauses: Sequence[Clause]) -> list[Clause]:
    """Return the clauses with comparisons turned to where one of the two is known."""
    known = {
        value
        for each in clauses
        if each.kind in ("start", "item")
        for slot, value in each.slots
        if slot != "n"
    }
    made: list[Clause] = []
    for each in clauses:
        slots = dict(each.slots)
        one, two = ("a", "b") if "a" in slots else ("good", "other")
        if each.kind in MIRRORED and slots[one] in known and slots[two] not in known:
            slots[one], slots[two] = slots[two], slots[one]
            made.append(Clause(MIRRORED[each.kind], tuple(slots.items())))
        else:
            made.append(each)
    return made


def solve_clauses(family: Family, clauses: Sequence[Clause]) -> str | None:
    """Return the answer of clauses, or None when they make no sense."""
    try:
        return FAMILIES[family].answer(_turned(clauses))
    except (LookupError, ValueError, TypeError, AttributeError):
        return None


def white_box(library: Library, families: Iterable[Family] = Family) -> Solver:
    """Return the solver that has a library's source and trusts nothing else."""
    grammars = {family: Grammar(library, family) for family in families}

    def solve(task: Task) -> str | None:
        clauses = parse(grammars[task.family], task)
        return solve_clauses(task.family, clauses) if clauses else None

    return solve
