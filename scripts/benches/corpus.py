"""What is published: short texts, one a message, the same for every side."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Final

from scripts.benches.peers import CORPUS

WORDS: Final = (
    *("the", "a", "of", "and", "to", "in", "is", "it", "that", "was", "for", "on"),
    *("record", "node", "peer", "signed", "stored", "gossip", "topic", "mesh"),
)


def bodies() -> list[str]:
    """Return the texts: of the file that the environment names, or seeded ones."""
    if path := os.environ.get(CORPUS):
        lines = Path(path).read_text("utf-8").splitlines()
        return [str(json.loads(line)["body"]) for line in lines]
    dice = random.Random(1)  # noqa: S311 - the same texts each time
    return [" ".join(dice.choices(WORDS, k=dice.randint(10, 90))) for _ in range(2_000)]
