"""What must hold of a run, beside safety."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from moltp2p.testing.sim.latency import STRICT, Share

Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Ratio = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=STRICT)
class Limits:
    """What must hold of the messages published in one phase.

    Attributes:
        delivered: the share of expected deliveries that were made, at least.
        p50_s: half of them within this.
        p99_s: all but one in a hundred within this.
        max_s: all of them within this.
        duplicates: copies from honest nodes beside each delivery, at most.
        victim_delivered: as `delivered`, of what went to or came from the victim.
        victim_p99_s: likewise.
    """

    delivered: Share | None = None
    p50_s: Seconds | None = None
    p99_s: Seconds | None = None
    max_s: Seconds | None = None
    duplicates: Ratio | None = None
    victim_delivered: Share | None = None
    victim_p99_s: Seconds | None = None


@dataclass(frozen=True, config=STRICT)
class Check:
    """What makes a run a failure, besides any breach of safety.

    Attributes:
        healthy_within: heartbeats after the attack or partition until every mesh
            has D_lo honest peers, or all where there are fewer.
    """

    steady: Limits = Field(default_factory=Limits)
    before: Limits = Field(default_factory=Limits)
    during: Limits = Field(default_factory=Limits)
    settling: Limits = Field(default_factory=Limits)
    after: Limits = Field(default_factory=Limits)
    healthy_within: Count | None = None
