"""How the meshes look, now and then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median_low

from moltp2p.testing.sim.honest import HonestNode
from moltp2p.testing.sim.meter import Traffic


@dataclass(frozen=True, slots=True)
class Sample:
    """The meshes of all honest nodes online, at one time.

    Attributes:
        at_s: when.
        online: how many nodes there were.
        mesh_min: the smallest mesh of a node in a topic.
        mesh_mean: the mean.
        mesh_max: the largest.
        honest_share: how many of the mesh's peers were honest.
        healthy: the share of nodes whose every mesh has D_lo honest peers, or all
            where there are fewer.
        honest_score: the median score that honest nodes give each other.
        honest_score_min: the worst.
        sybil_score: the median score that they give Sybils; None where there are
            none.
        sybil_score_max: the best.
        traffic: all that was counted until then.
    """

    at_s: float
    online: int
    mesh_min: int
    mesh_mean: float
    mesh_max: int
    honest_share: float
    healthy: float
    honest_score: float | None
    honest_score_min: float | None
    sybil_score: float | None
    sybil_score_max: float | None
    traffic: Traffic


def take_sample(
    at_s: float,
    nodes: Iterable[HonestNode],
    topics: Sequence[str],
    traffic: Traffic,
) -> Sample:
    """Look at every mesh."""
    sizes: list[int] = []
    scores: list[float] = []
    sybil_scores: list[float] = []
    honest_sum = healthy = 0
    present = [node for node in nodes if node.is_online]
    for node in present:
        meshes = [node.router.mesh(topic) for topic in topics]
        honest = [_count_honest(mesh) for mesh in meshes]
        sizes += map(len, meshes)
        honest_sum += sum(honest)
        for peer, link in node.links.items():
            score = node.router.score(peer)
            (scores if link.receiver.is_honest else sybil_scores).append(score)
        low = node.settings.degrees_for(len(node.links)).low
        healthy += min(honest) >= min(low, len(present) - 1)
    return Sample(
        at_s=at_s,
        online=len(present),
        mesh_min=min(sizes, default=0),
        mesh_mean=sum(sizes) / max(1, len(sizes)),
        mesh_max=max(sizes, default=0),
        honest_share=honest_sum / max(1, sum(sizes)),
        healthy=healthy / max(1, len(present)),
        honest_score=_median(scores),
        honest_score_min=min(scores, default=None),
        sybil_score=_median(sybil_scores),
        sybil_score_max=max(sybil_scores, default=None),
        traffic=replace(traffic),
    )


def _median(scores: list[float]) -> float | None:
    return median_low(scores) if scores else None


def _count_honest(mesh: Iterable[str]) -> int:
    # Peers of the simulation are named n… and s…, which is all that a mesh tells.
    return sum(peer[0] == "n" for peer in mesh)
