"""Reads what it has never seen by what is most like it.

Each sentence is compared with every phrase that the script knows, by its words, by
what kinds of words they are, by pairs of neighbours, and by where names and numbers
stand. The likeliest readings of all sentences are tried together, and the first
that makes a possible world is answered.
"""

from __future__ import annotations

import heapq
import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.proof import form, ledger
from moltp2p.proof.cast import DAYS, GOODS, HUES, NAMES
from moltp2p.proof.families import FAMILIES
from moltp2p.proof.numerals import NUMBER_WORDS, ORDINAL_WORDS
from moltp2p.proof.pack import Library
from moltp2p.proof.world import Clause, Family, Slot
from scripts.solvers.exam import Solver, Task
from scripts.solvers.lexicon import SYNONYMS
from scripts.solvers.possible import is_possible
from scripts.solvers.white_box import place, role_holder, solve_clauses

IGNORED: Final = 0.12
"""How likely it is, beside any reading, that a sentence means nothing."""
READINGS: Final = 4
"""How many readings of a sentence are kept."""
TRIALS: Final = 150
"""How many readings of a whole text are tried."""

_TOKEN: Final = re.compile(r"\d\d:\d\d|\d+(?:st|nd|rd|th)?|[A-Za-z]+(?:-[a-z]+)?")
_SENTENCE: Final = re.compile(r"(?<=[.?!]) ")
_LIST: Final = {"names": "NAME", "hues": "HUE", "numbers": "NUM"}
_SORT: Final = {
    **dict.fromkeys(("a", "b"), "NAME"),
    **dict.fromkeys(("n", "m"), "NUM"),
    **dict.fromkeys(("good", "other"), "GOOD"),
    "nth": "ORD",
    "hue": "HUE",
    "day": "DAY",
    "at": "TIME",
}
_KNOWN: Final[dict[str, tuple[str, Slot]]] = {
    **{word.lower(): ("NAME", word) for word in NAMES},
    **{word: ("HUE", word) for word in HUES},
    **{word: ("GOOD", word) for word in GOODS},
    **{word.lower(): ("DAY", word) for word in DAYS},
    **{word: ("ORD", at) for word, at in ORDINAL_WORDS.items()},
    **{word: ("NUM", at) for word, at in NUMBER_WORDS.items() if at > 1},
}


@dataclass(frozen=True, slots=True)
class Item:
    """A name, number or other word of the world, found in a sentence."""

    sort: str
    value: Slot


def stem(word: str) -> str:
    """Return a word without its commonest endings."""
    for end in ("ing", "ed", "es", "s"):
        if word.endswith(end) and len(word) - len(end) > 2:
            return word[: -len(end)]
    return word


def tokens(sentence: str, *, reads_words: bool = True) -> list[str | Item]:
    """Return the words of a sentence, those of its world as items."""
    made: list[str | Item] = []
    for raw in _TOKEN.findall(sentence):
        word = raw.lower()
        if word.isdigit():
            made.append(Item("NUM", int(word)))
        elif ":" in word:
            made.append(Item("TIME", int(word[:2]) * 60 + int(word[3:])))
        elif word[0].isdigit():
            made.append(Item("ORD", place(word)))
        elif word in _KNOWN and (reads_words or _KNOWN[word][0] != "NUM"):
            made.append(Item(*_KNOWN[word]))
        else:
            made.append(word)
    return made


def features(words: Sequence[str]) -> Counter[str]:
    """Return what a sentence is compared by; slots are words in braces."""
    classes = [[*SYNONYMS.get(w, ()), w if "{" in w else stem(w)] for w in words]
    found: Counter[str] = Counter()
    for options in classes:
        found.update(options)
    for left, right in itertools.pairwise(classes):
        found.update(f"{x} {y}" for x in left for y in right)
    for left, right in zip(classes, classes[2:], strict=False):
        found.update(f"{x} * {y}" for x in left for y in right)
    slots = [w for w in words if "{" in w]
    found.update(f"{x} < {y}" for x, y in itertools.combinations(slots, 2))
    return found


class Likeness:
    """All phrases of one family, by their features."""

    def __init__(self, library: Library, family: Family) -> None:
        self.family = family
        self.kinds = FAMILIES[family].kinds
        told: list[tuple[str, Counter[str]]] = []
        for scene in library.scenes[family]:
            fill = {slot: options[0] for slot, options in scene.words.items()}
            for kind, phrases in scene.phrases.items():
                for phrase in phrases:
                    names = dict.fromkeys(phrase.slots, "")
                    text = phrase.filled({s: fill.get(s, f" {{{s}}} ") for s in names})
                    told.append((kind, features(_words(text))))
        seen = Counter(name for _, each in told for name in each)
        total = len(told)
        self.weight = {
            name: math.log(1 + total / count) for name, count in seen.items()
        }
        self.postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self.of: list[str] = []
        for at, (kind, each) in enumerate(told):
            norm = math.sqrt(sum(self.weight[name] ** 2 for name in each))
            self.of.append(kind)
            for name in each:
                self.postings[name].append((at, self.weight[name] / norm))

    def scores(self, words: Sequence[str]) -> dict[str, float]:
        """Return for each kind how like a sentence is to its likest phrase."""
        found = features(words)
        known = {name: self.weight[name] for name in found if name in self.weight}
        norm = math.sqrt(sum(each**2 for each in known.values()) + len(words)) or 1.0
        sums: dict[int, float] = defaultdict(float)
        for name, weight in known.items():
            for at, share in self.postings[name]:
                sums[at] += weight * share / norm
        best: dict[str, float] = {}
        for at, value in sums.items():
            kind = self.of[at]
            best[kind] = max(best.get(kind, 0.0), value)
        return best


def _words(text: str) -> list[str]:
    return re.findall(r"\{[a-z]+\}|[a-z]+(?:-[a-z]+)?", text.lower())


Reading = tuple[float, Clause | None]


OPENING: Final[dict[Family, tuple[int, frozenset[str]]]] = {
    Family.LEDGER: (4, frozenset(k for k in ledger.KINDS if k.startswith("start"))),
    Family.SEATS: (1, frozenset({"row"})),
    Family.PROGRAM: (1, frozenset({"list"})),
    Family.FORM: (5, frozenset(k for k in form.KINDS if k[:4] in ("item", "orde"))),
    Family.SCHEDULE: (0, frozenset()),
}
"""For each family: how many clauses open a text, and of which kinds they are."""
CLOSING: Final = {"trade": 1, "fix": 2, "all_later": 1, "all_earlier": 1}
"""Kinds that stand among the last so many."""
SLIPPED_IN: Final = 2
"""How many sentences that mean nothing may stand among the others."""


def wanted(family: Family, at: int, total: int) -> frozenset[str]:
    """Return the kinds of clauses that the sentence at a place can be of."""
    count, opening = OPENING[family]
    kinds = {k for k in FAMILIES[family].kinds if not k.startswith("ask")}
    closing = {kind for kind, last in CLOSING.items() if at < total - last - SLIPPED_IN}
    if at >= count + SLIPPED_IN:
        kinds -= opening
    if at < count:
        kinds &= opening
    return frozenset(kinds - closing)


def readings(
    likeness: Likeness, sentence: str, kinds: frozenset[str], *, reads_words: bool
) -> list[Reading]:
    """Return the likeliest clauses of a sentence; None stands for an aside."""
    told = tokens(sentence, reads_words=reads_words)
    found: dict[Clause | None, float] = {None: IGNORED}
    scores: dict[tuple[str, ...], dict[str, float]] = {}
    for kind in kinds:
        slots = likeness.kinds[kind]
        for filling in _fillings(told, slots):
            words = tuple(_slotted(told, filling))
            if words not in scores:
                scores[words] = likeness.scores(words)
            score = scores[words].get(kind, 0.0)
            clause = Clause(kind, tuple(filling.items()))
            found[clause] = max(found.get(clause, 0.0), score + 0.05 * len(slots))
    best = heapq.nlargest(READINGS, found.items(), key=lambda pair: pair[1])
    return [(score, clause) for clause, score in best]


def _fillings(
    told: Sequence[str | Item], slots: frozenset[str]
) -> Iterator[dict[str, Slot]]:
    """Yield the ways in which a sentence can fill the slots of a kind."""
    by_sort: dict[str, list[Slot]] = defaultdict(list)
    for item in told:
        if isinstance(item, Item) and item.value not in by_sort[item.sort]:
            by_sort[item.sort].append(item.value)
    lists = {s: tuple(by_sort.pop(_LIST[s], [])) for s in slots if s in _LIST}
    wanted: dict[str, list[str]] = defaultdict(list)
    for slot in sorted(slots - lists.keys()):
        wanted[_SORT.get(slot, slot)].append(slot)
    if any(len(each) < LISTED for each in lists.values()) or not _fits(by_sort, wanted):
        return
    orders = [
        [
            dict(zip(names, order, strict=True))
            for order in itertools.permutations(by_sort[sort], len(names))
        ]
        for sort, names in wanted.items()
    ]
    for combination in itertools.product(*orders):
        filling: dict[str, Slot] = {slot: tuple(v) for slot, v in lists.items()}  # type: ignore[arg-type]
        for part in combination:
            filling |= part
        yield filling


LISTED: Final = 5
"""A list in a sentence has at least so many."""


def _fits(by_sort: Mapping[str, list[Slot]], wanted: Mapping[str, list[str]]) -> bool:
    """Tell whether a sentence has what slots want, and nothing that they do not."""
    # Places are words too ("the first"), so more of them may stand there.
    return all(
        len(by_sort.get(sort, ())) == len(wanted[sort])
        if sort in _STRICT
        else len(by_sort[sort]) >= len(wanted[sort])
        for sort in {*by_sort, *wanted}
    )


_STRICT: Final = ("NAME", "GOOD", "HUE", "DAY", "TIME", "NUM")


def _slotted(told: Sequence[str | Item], filling: dict[str, Slot]) -> list[str]:
    """Return a sentence with its items written as the slots that they fill."""
    names = {value: f"{{{slot}}}" for slot, value in filling.items()}
    words: list[str] = []
    for item in told:
        if isinstance(item, str):
            words.append(item)
        elif item.value in names:
            words.append(names[item.value])
        elif any(isinstance(v, tuple) and item.value in v for v in filling.values()):
            words.append("{list}")
        else:
            words.append(str(item.value).lower())
    return words


def likely(library: Library, *, is_careful: bool = True) -> Solver:
    """Return the solver that reads by likeness.

    Args:
        library: the phrases that it knows.
        is_careful: whether it reads numbers in words, and tries other readings when
            the likeliest make no possible world.
    """
    known = {family: Likeness(library, family) for family in Family}

    def solve(task: Task) -> str | None:
        likeness = known[task.family]
        *told, question = _sentences(task)
        rows = [
            readings(
                likeness,
                each,
                wanted(task.family, at, len(told)),
                reads_words=is_careful,
            )
            for at, each in enumerate(told)
        ]
        asked = _asked(likeness, question, task)
        if task.family is Family.FORM:
            asked = [(1.0, (Clause("ask"),))]
        return _best(task.family, rows, asked, TRIALS if is_careful else 1)

    return solve


def _sentences(task: Task) -> list[str]:
    body = re.sub(r" Answer with .*$", "", task.text)
    return _SENTENCE.split(body)


Asked = tuple[float, tuple[Clause, ...]]


def _asked(likeness: Likeness, question: str, task: Task) -> list[Asked]:
    """Return the likeliest questions, each of one clause or of three parts."""
    question = _named(question, " ".join(task.earlier))
    parts = [question]
    if likeness.family is Family.SEATS:
        parts = re.split(r"; |, (?:and )?(?=who|the|what)", question)
        parts[0] = parts[0].rpartition(":")[2] or parts[0]
    rows = []
    for part in parts[-3:] if likeness.family is Family.SEATS else parts:
        asking = frozenset(k for k in likeness.kinds if k.startswith("ask_"))
        found = readings(likeness, part, asking, reads_words=True)
        rows.append([reading for reading in found if reading[1]][:3])
    made = [
        (sum(score for score, _ in combination), tuple(c for _, c in combination if c))
        for combination in itertools.product(*rows)
    ]
    return sorted(made, key=lambda each: -each[0])


def _named(question: str, earlier: str) -> str:
    """Return a question with a role told earlier replaced by its name."""
    for role in re.findall(r"[a-z]{5,}", question):
        holder = role_holder(role, earlier) if earlier else None
        if holder and not re.search(r"\b(?:" + "|".join(NAMES) + r")\b", question):
            return question + f" {holder}"
    return question


def _best(
    family: Family, rows: list[list[Reading]], asked: list[Asked], trials: int
) -> str | None:
    """Return the answer of the likeliest readings that make a possible world."""
    first: str | None = None
    for combination in itertools.islice(_ranked(rows), trials):
        told = [clause for clause in combination if clause]
        for _, question in asked[: 3 if trials > 1 else 1]:
            clauses = _ordered(family, [*told, *question])
            answer = solve_clauses(family, clauses)
            if answer and is_possible(family, clauses):
                return answer
            first = first or answer
    return first


def _ordered(family: Family, clauses: list[Clause]) -> list[Clause]:
    """Return clauses with what comes first in its family at the head."""
    heads = {Family.SEATS: "row", Family.PROGRAM: "list", Family.FORM: "order"}
    head = heads.get(family)
    return sorted(clauses, key=lambda clause: clause.kind != head)


def _ranked(rows: list[list[Reading]]) -> Iterator[list[Clause | None]]:
    """Yield combinations of readings, the likeliest first."""
    start = (0,) * len(rows)
    queue = [(-sum(row[0][0] for row in rows if row), start)]
    seen = {start}
    while queue:
        cost, picks = heapq.heappop(queue)
        yield [row[pick][1] for row, pick in zip(rows, picks, strict=True) if row]
        for at, pick in enumerate(picks):
            if pick + 1 < len(rows[at]):
                other = (*picks[:at], pick + 1, *picks[at + 1 :])
                if other not in seen:
                    seen.add(other)
                    step = rows[at][pick][0] - rows[at][pick + 1][0]
                    heapq.heappush(queue, (cost + step, other))
