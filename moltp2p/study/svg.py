"""SVG by hand: shapes, axes and words. Whatever was written by strangers is escaped.

Colours are classes of the page's style sheet, so that a picture is legible on light
and on dark paper.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from moltp2p.study.words import cut, one_line


def plain(text: str, room: int = 60) -> str:
    """Return text by a stranger as one short line that can stand in HTML.

    Args:
        text: whatever it says; markup is escaped.
        room: how many columns there are for it (`words.columns`).
    """
    return html.escape(cut(one_line(text[: 4 * room]), room), quote=True)


def number(value: float) -> str:
    """Return a coordinate, to a tenth."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def element(name: str, body: str = "", /, **attributes: object) -> str:
    """Return an element. Attributes are escaped, `body` is markup already.

    An attribute's trailing underscore goes, its others become hyphens.
    """
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{words}>{body}</{name}>" if body else f"<{name}{words}/>"


def _value(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return html.escape(str(value), quote=True)


def label(x: float, y: float, text: str, class_: str = "tick", **more: object) -> str:
    """Return words at a place; `text` is escaped already."""
    return element("text", text, x=x, y=y, class_=class_, **more)


def picture(width: int, height: int, parts: Iterable[str], about: str) -> str:
    """Return a picture that grows with the page; `about` is read out."""
    return element(
        "svg",
        "".join(parts),
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label=about,
        xmlns="http://www.w3.org/2000/svg",
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of a picture where values are drawn, and the values at its edges.

    Attributes:
        left, top, right, bottom: its edges, in the picture's units.
        top_value: the value at the top; 0 is at the bottom.
    """

    left: float
    top: float
    right: float
    bottom: float
    top_value: float

    def y(self, value: float) -> float:
        """Return how high a value is drawn."""
        return self.bottom - (self.bottom - self.top) * value / self.top_value

    def x(self, share: float) -> float:
        """Return where a share of the width is."""
        return self.left + (self.right - self.left) * share

    def grid(self, ticks: Sequence[float]) -> str:
        """Return lines at values, with the values beside them."""
        lines = [
            element(
                "line",
                x1=self.left,
                x2=self.right,
                y1=self.y(tick),
                y2=self.y(tick),
                class_="axis" if tick == 0 else "grid",
            )
            + label(
                self.left - 8, self.y(tick) + 4, short(tick), "tick", text_anchor="end"
            )
            for tick in ticks
        ]
        return "".join(lines)


def ticks(highest: float, count: int = 4) -> list[float]:
    """Return round values from 0 to at least `highest`."""
    rough = max(highest, 1) / count
    scale = 10 ** math.floor(math.log10(rough))
    step = next(each * scale for each in (1, 2, 2.5, 5, 10) if each * scale >= rough)
    step = max(step, 1)
    return [n * step for n in range(math.ceil(max(highest, 1) / step) + 1)]


def short(value: float) -> str:
    """Return a number as one reads it at an axis: 1,200 or 1.2M."""
    if abs(value) >= 1e15:
        return f"{value:.1e}"
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            divisor = 1e3 if unit == "k" else size
            return f"{value / divisor:.3g}{unit}"
    return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
