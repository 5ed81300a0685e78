"""What a metric is here: a name with its unit, what it means, and its samples.

No label names a peer, an agent or a record, or has more than `MAX_SERIES` values: what
strangers can choose the number of is counted together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

PREFIX: Final = "moltp2p_"
MAX_SERIES: Final = 64
"""Values of one label; the rest is summed as `other`."""
OTHER: Final = "other"
_WORD: Final = re.compile(r"[a-zA-Z0-9_./:-]{1,64}")

Kind = Literal["gauge", "counter"]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric.

    Attributes:
        name: without the prefix; a counter's ends in `_total`.
        meaning: one sentence.
        label: what tells its samples apart; empty when there is but one.
        samples: by the label's value, `""` for the only one.
    """

    name: str
    meaning: str
    label: str = ""
    samples: Mapping[str, float] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """Return whether it only ever grows."""
        return "counter" if self.name.endswith("_total") else "gauge"


def one(name: str, meaning: str, value: float | None) -> Family:
    """Return a metric of one sample; of none where there is no value."""
    return Family(name, meaning, samples={} if value is None else {"": float(value)})


def many(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Family:
    """Return a metric of a sample for each value of a label, bounded."""
    samples: dict[str, float] = {}
    for key, value in sorted(values.items(), key=lambda each: (-each[1], each[0])):
        known = _WORD.fullmatch(key) and len(samples) < MAX_SERIES
        word = key if known else OTHER
        samples[word] = samples.get(word, 0.0) + float(value)
    return Family(name, meaning, label, samples)
