"""How long bytes travel between two nodes, by several models of the Internet."""

from __future__ import annotations

import math
import random
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from moltp2p.core.errors import UsageError

STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False)
"""What a scenario misspells is refused, and not passed over; so is what never ends."""

MS: Final = 0.001

Milliseconds = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=STRICT)
class Constant:
    """The same everywhere."""

    model: Literal["constant"] = "constant"
    ms: Milliseconds = 50

    def region(self, rng: random.Random) -> str:
        """Return where a node is: nowhere in particular."""
        del rng
        return ""

    def between(self, here: str, there: str, rng: random.Random) -> float:
        """Return the seconds that one way takes."""
        del here, there, rng
        return self.ms * MS


@dataclass(frozen=True, config=STRICT)
class Uniform:
    """Anything between two bounds, for each pair of nodes."""

    model: Literal["uniform"] = "uniform"
    from_ms: Milliseconds = 10
    to_ms: Milliseconds = 150

    def region(self, rng: random.Random) -> str:
        """Return where a node is: nowhere in particular."""
        del rng
        return ""

    def between(self, here: str, there: str, rng: random.Random) -> float:
        """Return the seconds that one way takes."""
        del here, there
        return rng.uniform(self.from_ms, self.to_ms) * MS


@dataclass(frozen=True, config=STRICT)
class LogNormal:
    """Mostly near the median, now and then several times as long.

    Attributes:
        sigma: the deviation of the logarithm; 0.5 puts one in a hundred at more
            than three times the median.
    """

    model: Literal["lognormal"] = "lognormal"
    median_ms: Annotated[float, Field(gt=0)] = 50
    sigma: Annotated[float, Field(ge=0, le=3)] = 0.5

    def region(self, rng: random.Random) -> str:
        """Return where a node is: nowhere in particular."""
        del rng
        return ""

    def between(self, here: str, there: str, rng: random.Random) -> float:
        """Return the seconds that one way takes."""
        del here, there
        return rng.lognormvariate(math.log(self.median_ms), self.sigma) * MS


@dataclass(frozen=True, config=STRICT)
class Regions:
    """By where the two nodes are.

    Attributes:
        shares: how many of the nodes are in each region, as weights.
        ms: one way from region to region, each pair once, written `a-b` or `b-a`.
        spread: the deviation of the logarithm around that.
    """

    shares: dict[str, Annotated[float, Field(ge=0)]]
    ms: dict[str, Milliseconds]
    model: Literal["regions"] = "regions"
    spread: Annotated[float, Field(ge=0, le=3)] = 0.2

    def __post_init__(self) -> None:
        """Refuse a map with holes.

        Raises:
            UsageError: `bad-scenario`.
        """
        for here in self.shares:
            for there in self.shares:
                self._ms(here, there)

    def region(self, rng: random.Random) -> str:
        """Return where a node is."""
        return rng.choices(list(self.shares), list(self.shares.values()))[0]

    def between(self, here: str, there: str, rng: random.Random) -> float:
        """Return the seconds that one way takes."""
        return self._ms(here, there) * MS * rng.lognormvariate(0, self.spread)

    def _ms(self, here: str, there: str) -> float:
        for name in (f"{here}-{there}", f"{there}-{here}"):
            if name in self.ms:
                return self.ms[name]
        raise UsageError("bad-scenario", f"network.latency.ms lacks {here}-{there}")


Latency = Annotated[
    Constant | Uniform | LogNormal | Regions, Field(discriminator="model")
]
