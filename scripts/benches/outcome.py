"""What a benchmark found: figures, ratios, and the conditions they hold under."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    value: float
    unit: str


@dataclass(slots=True)
class Outcome:
    """All that one benchmark found.

    Attributes:
        bench: its name.
        figures: by name.
        ratios: by name; the sides were measured in turns in the same run.
        conditions: what a reader must know to repeat it.
        growth: rows of a table: what a size comes to. The first column is the size,
            and each name ends in its unit.
    """

    bench: str
    figures: dict[str, Figure] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    growth: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Note the machine."""
        self.conditions["python"] = platform.python_version()
        self.conditions["cores"] = str(os.cpu_count())

    def add(self, name: str, value: float, unit: str) -> None:
        """Note a figure, to four digits."""
        self.figures[name] = Figure(float(f"{value:.4g}"), unit)

    def compare(self, name: str, value: float, other: float) -> None:
        """Note how many times `other` a value is; nothing where `other` is 0."""
        if other:
            self.ratios[name] = float(f"{value / other:.3g}")

    def to_json(self) -> dict[str, object]:
        """Return the one object that `--json` prints."""
        return asdict(self)

    def to_text(self) -> str:
        """Return a table for a person."""
        rows = [
            (name, f"{each.value:g}", each.unit) for name, each in self.figures.items()
        ]
        rows += [(name, f"{value:g}", "times") for name, value in self.ratios.items()]
        width = max((len(row[0]) for row in rows), default=0)
        lines = [self.bench]
        lines += [
            f"  {name:<{width}}  {value:>10}  {unit}" for name, value, unit in rows
        ]
        lines += _table(self.growth)
        lines += [f"  ({name}: {value})" for name, value in self.conditions.items()]
        return "\n".join(lines)


def _table(growth: list[dict[str, float]]) -> list[str]:
    """Return a line for each column of a growth, a size beside the other."""
    names = list(growth[0]) if growth else []
    width = max(map(len, names), default=0)
    return [
        f"  {name:<{width}}  " + " ".join(f"{_short(row[name]):>10}" for row in growth)
        for name in names
    ]


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.4g}"
