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
    """

    bench: str
    figures: dict[str, Figure] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)

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
        lines += [f"  ({name}: {value})" for name, value in self.conditions.items()]
        return "\n".join(lines)
