"""Vectors of spec 08: dice, worlds with their answers, and what is an answer.

| op | input -> output |
|---|---|
| `dice` | seed in parts, and calls as [method, argument, ...] -> what each gives |
| `words-of-worlds` | the name of a list -> its words in order |
| `batch` | seed, round, count -> for each world its bytes, its answer and its tokens |
| `carries` | the seed, round and item of a world, and a text -> whether it carries it |
| `read-answer` | what a solver said -> the answer |
| `is-task-text` | a text -> whether a solver may be shown it |
"""

from __future__ import annotations

from typing import Final

from moltp2p.core.challenge.spelling import is_task_text
from moltp2p.proof import cast
from moltp2p.proof.answers import read_answer
from moltp2p.proof.dice import Dice
from moltp2p.proof.tasks import Worlds
from scripts.vectors.form import Case

SEED: Final = bytes(range(32))
BATCHES: Final = 6
"""How many sessions' worlds are written down: enough for several of each family."""

CALLS: Final[dict[str, tuple[list[bytes], list[list[object]]]]] = {
    "dice-words": ([SEED], [["below", 2**32]] * 10),
    "dice-parts": ([b"a", b"b"], [["below", 2**32]] * 2),
    "dice-parts-joined": ([b"ab"], [["below", 2**32]] * 2),
    "dice-below": ([SEED], [["below", n] for n in range(1, 41)]),
    "dice-rejection": ([SEED], [["below", 2**31 + 1]] * 16),
    "dice-between": ([SEED], [["between", -3, 3]] * 12),
    "dice-sample": ([SEED], [["sample", list("abcdefgh"), 5]] * 4),
}

LISTS: Final = {
    "names": cast.NAMES,
    "roles": cast.ROLES,
    "colours": cast.HUES,
    "goods": cast.GOODS,
    "days": cast.DAYS,
}

SAID: Final = {
    "answer-plain": "17",
    "answer-marked": "Orla has 5 + 12.\n**ANSWER: 17.**",
    "answer-marked-twice": "ANSWER: 3? No. Answer: 17",
    "answer-tokens": "Answer: Orla, red - Finn",
    "answer-time": "`Thursday 15:10`",
    "answer-json": 'Here:\n```json\n{"For": "Orla", "lamps": 4}\n```',
    "answer-json-types": 'answer: {"lamps": "4", "for":  " orla "}',
    "answer-json-nested": '{"a": [1, 2.0, true, null, {"b": "c"}]}',
}

NOT_SAID: Final = {
    "answer-empty": "",
    "answer-empty-marked": "I do not know.\nANSWER:",
    "answer-too-long": "a" * 33,
    "answer-sentence": "the answer is that nobody can say how many there are",
    "answer-odd-character": "17%",
    "answer-not-json": "{lamps: 4}",
    "answer-json-fraction": '{"lamps": 4.5}',
    "answer-json-depth": '{"a": [{"b": [1]}]}',
}

TEXTS: Final = {
    "text-longest": "a" * 1_200,
    "text": "How many? ~",
    "text-empty": "",
    "text-too-long": "a" * 1_201,
    "text-two-lines": "a\nb",
    "text-not-ascii": "caf\u00e9",
    "text-control": "a\x1b[2J",
}


def cases() -> list[Case]:
    """Return all vectors of spec 08."""
    return [
        *(_dice(name, parts, calls) for name, (parts, calls) in CALLS.items()),
        *(
            _case(name, "words-of-worlds", name, output=list(words))
            for name, words in LISTS.items()
        ),
        *(_batch(number, round_) for number in range(BATCHES) for round_ in (0, 1)),
        *_carrying(),
        *(
            _case(name, "read-answer", said, output=read_answer(said))
            for name, said in SAID.items()
        ),
        *(
            _case(name, "read-answer", said, error="bad-answer")
            for name, said in NOT_SAID.items()
        ),
        *(
            _case(name, "is-task-text", text, output=is_task_text(text))
            for name, text in TEXTS.items()
        ),
    ]


def _case(name: str, op: str, given: object, **result: object) -> Case:
    return {"name": name, "op": op, "input": given, **result}


def roll(parts: list[bytes], calls: list[list[object]]) -> list[object]:
    """Return what each call of one row of dice gives."""
    dice = Dice(*parts)
    return [getattr(dice, str(method))(*arguments) for method, *arguments in calls]


def _dice(name: str, parts: list[bytes], calls: list[list[object]]) -> Case:
    seed = [part.hex() for part in parts]
    given = {"seed": seed, "calls": calls}
    return {"name": name, "op": "dice", "input": given, "output": roll(parts, calls)}


def describe(seed: bytes, round_: int, count: int) -> list[dict[str, object]]:
    """Return what a vector says of each world of a round."""
    worlds = Worlds()
    return [
        {
            "world": worlds.spell(world).hex(),
            "answer": worlds.answer(world),
            "tokens": sorted(worlds.names(world)),
        }
        for world in worlds.batch(seed, round_, count)
    ]


def _batch(number: int, round_: int) -> Case:
    seed = SEED[:-1] + bytes([number])
    given = {"seed": seed.hex(), "round": round_, "count": 4}
    return {
        "name": f"batch-{number}-round-{round_}",
        "op": "batch",
        "input": given,
        "output": describe(seed, round_, 4),
    }


def _carrying() -> list[Case]:
    world = Worlds().batch(SEED, 0, 1)[0]
    tokens = sorted(world.names())
    texts = {
        "carries-tokens": ("; ".join(tokens), True),
        "carries-capitals": (" ".join(tokens).upper(), True),
        "carries-possessive": ("'s ".join(tokens) + "'s", True),
        "carries-one-less": (" ".join(tokens[:-1]), False),
        "carries-nothing": ("How many?", False),
        "carries-within-words": ("x".join(tokens), False),
    }
    return [
        {
            "name": name,
            "op": "carries",
            "input": {"seed": SEED.hex(), "round": 0, "item": 0, "text": text},
            "output": does,
        }
        for name, (text, does) in texts.items()
    ]
