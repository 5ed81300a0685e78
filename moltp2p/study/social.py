"""The picture of who answers whom."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from moltp2p.study.forces import groups, place
from moltp2p.study.stats import AgentFigures, Graph
from moltp2p.study.svg import element, label, number, picture, plain
from moltp2p.study.words import columns, cut, one_line

WIDTH: Final = 1_180
HEIGHT: Final = 640
EDGE: Final = 70
NAME_LETTERS: Final = 18
LETTER: Final = 8.2
"""How wide a column is, about."""


def social(graph: Graph) -> str:
    """Return a picture of the graph: an arrow from who answers to who is answered."""
    size = len(graph.agents)
    spots = [
        (
            EDGE + (WIDTH - 2 * EDGE) * (x + 1) / 2,
            EDGE / 2 + (HEIGHT - EDGE) * (y + 1) / 2,
        )
        for x, y in place(size, graph.edges)
    ]
    colours = groups(size, graph.edges)
    radii = [_radius(agent, graph) for agent in graph.agents]
    parts = [
        _arrowhead(),
        *_edges(graph, spots, radii),
        *(
            _node(agent, spots[n], radii[n], f"g{colours[n]}")
            for n, agent in enumerate(graph.agents)
        ),
        *_names(graph, spots, radii),
    ]
    about = f"Who answers whom: {size} agents, {len(graph.edges)} pairs"
    return picture(WIDTH, HEIGHT, parts, about)


def called(agent: AgentFigures, room: int = 60) -> str:
    """Return an agent's name and a bit of its key: names are not unique.

    Args:
        agent: whose.
        room: how many columns there are; it is the name that is cut, and not the key.
    """
    key = agent.agent.removeprefix("did:key:")
    short = f"{key[:4]}…{key[-5:]}"
    name = one_line(agent.name or "")
    return f"{cut(name, room - len(short) - 3)} · {short}" if name else short


def _radius(agent: AgentFigures, graph: Graph) -> float:
    most = max(each.posts for each in graph.agents)
    return 5 + 15 * math.sqrt(agent.posts / max(most, 1))


def _node(
    agent: AgentFigures, spot: tuple[float, float], radius: float, colour: str
) -> str:
    about = f"{plain(called(agent))}: {agent.posts:,} posts"
    circle = element(
        "circle", cx=spot[0], cy=spot[1], r=radius, class_=f"node {colour}"
    )
    return element("g", circle + element("title", about))


def _names(
    graph: Graph, spots: list[tuple[float, float]], radii: list[float]
) -> Iterator[str]:
    """Yield names beside their nodes, wherever there is room for them."""
    taken = [
        Box(x - r, y - r, x + r, y + r) for (x, y), r in zip(spots, radii, strict=True)
    ]
    for agent, (x, y), radius in zip(graph.agents, spots, radii, strict=True):
        name = cut(one_line(agent.name or "") or called(agent), NAME_LETTERS)
        width = LETTER * columns(name)
        for at, anchor, box in _sides(x, y, radius + 5, width):
            if box.is_free(taken):
                taken.append(box)
                yield label(*at, plain(name), "name halo", text_anchor=anchor)
                break


def _sides(
    x: float, y: float, apart: float, width: float
) -> Iterator[tuple[tuple[float, float], str, Box]]:
    """Yield where a name may stand: right, left, below and above of its node."""
    half = width / 2
    yield (x + apart, y + 4), "start", Box(x + apart, y - 8, x + apart + width, y + 8)
    yield (x - apart, y + 4), "end", Box(x - apart - width, y - 8, x - apart, y + 8)
    for down in (apart + 10, -apart):
        box = Box(x - half, y + down - 12, x + half, y + down + 4)
        yield (x, y + down), "middle", box


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the picture: left, top, right and bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def is_free(self, others: list[Box]) -> bool:
        """Tell whether it is on the page, and touches none of the others."""
        return (
            self.left > 0
            and self.right < WIDTH
            and not any(
                self.left < each.right
                and each.left < self.right
                and self.top < each.bottom
                and each.top < self.bottom
                for each in others
            )
        )


def _edges(
    graph: Graph, spots: list[tuple[float, float]], radii: list[float]
) -> Iterator[str]:
    most = max((times for _, _, times in graph.edges), default=1)
    for one, other, times in sorted(graph.edges, key=lambda edge: edge[2]):
        strength = math.log1p(times) / math.log1p(most)
        yield element(
            "path",
            d=_curve(spots[one], spots[other], radii[other]),
            class_="edge",
            stroke_width=f"{0.6 + 2.4 * strength:.2f}",
            opacity=f"{0.18 + 0.5 * strength:.2f}",
            marker_end="url(#arrow)",
        )


def _curve(begin: tuple[float, float], end: tuple[float, float], radius: float) -> str:
    """Return a bow from one place to just before another."""
    across, down = end[0] - begin[0], end[1] - begin[1]
    bend = 0.14
    middle = (
        (begin[0] + end[0]) / 2 - down * bend,
        (begin[1] + end[1]) / 2 + across * bend,
    )
    back = math.hypot(end[0] - middle[0], end[1] - middle[1]) or 1.0
    share = min((radius + 4) / back, 0.9)
    tip = (
        end[0] - (end[0] - middle[0]) * share,
        end[1] - (end[1] - middle[1]) * share,
    )
    points = [number(each) for spot in (begin, middle, tip) for each in spot]
    return "M{} {}Q{} {} {} {}".format(*points)


def _arrowhead() -> str:
    tip = element("path", d="M0 0L7 3.5L0 7z", class_="tip")
    marker = element(
        "marker",
        tip,
        id="arrow",
        viewBox="0 0 7 7",
        refX=5,
        refY=3.5,
        markerWidth=7,
        markerHeight=7,
        markerUnits="userSpaceOnUse",
        orient="auto",
    )
    return element("defs", marker)
