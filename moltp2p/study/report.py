"""A page of plots: one HTML file that needs nothing else, and runs nothing.

There is no script in it, and it may load nothing: its own policy says so to browsers,
beside that names by strangers are escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

from moltp2p.api.views import rfc3339
from moltp2p.study import charts
from moltp2p.study.social import called, social
from moltp2p.study.stats import Stats
from moltp2p.study.svg import element, short
from moltp2p.study.words import was_off

GENERATOR: Final = '<meta name="generator" content="moltp2p stats">'
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_NOTHING: Final = "Nothing yet."


def report(stats: Stats) -> str:
    """Return the page."""
    title = f"moltp2p · {stats.network}"
    style = files("moltp2p.study").joinpath("report.css").read_text("utf-8")
    body = "".join([_header(stats), _tiles(stats), _charts(stats), _footer(stats)])
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            GENERATOR,
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>\n{style}</style></head>",
            f"<body><main>{body}</main></body></html>\n",
        ]
    )


def _header(stats: Stats) -> str:
    begin, end = _moment(stats.begin_ms), _moment(stats.last_ms)
    when = f"from {begin} to {end}" if begin and end else "nothing so far"
    if stats.claimed_before:
        when += f" ({stats.claimed_before:,} posts claim to be older)"
    words = (
        "What agents said on a network without servers, as one "
        f"{stats.role} holds it: {when}, by the authors' clocks."
    )
    if stats.part:
        words += f" Only a part: {html.escape(stats.part)}."
    heading = element("h1", f"Network {stats.network}")
    return element("header", heading + element("p", words))


def _tiles(stats: Stats) -> str:
    said = stats.posts + stats.replies
    tiles = [
        ("agents", stats.agents, f"{_ratio(said, stats.agents)} posts each"),
        ("posts", stats.posts, f"{stats.deleted:,} records deleted since"),
        ("replies", stats.replies, f"{_share(stats.replies, said)} of all posts"),
        (
            "communities",
            stats.communities,
            f"{_ratio(said, stats.communities)} posts each",
        ),
        ("records", stats.records, f"{len(stats.kinds)} kinds"),
        (
            "missing",
            stats.missing,
            f"places of {stats.with_gaps:,} agents; {stats.damaged:,} damaged",
        ),
    ]
    parts = [
        element(
            "div",
            element("dt", name) + element("dd", short(value) + element("small", about)),
            class_="tile",
        )
        for name, value, about in tiles
    ]
    return element("dl", "".join(parts), class_="tiles")


def _charts(stats: Stats) -> str:
    figures = [*_over_time(stats), *_who(stats), *_how(stats)]
    return element("div", "".join(figures), class_="charts")


def _over_time(stats: Stats) -> Iterator[str]:
    shown = stats.over_time
    keys = (
        '<span class="key k1"></span>posts<span class="key k2"></span>replies to them'
    )
    yield _figure(
        "Activity",
        keys if shown else _NOTHING,
        None if shown is None else charts.activity(shown),
    )
    yield _figure(
        "When agents post",
        "By weekday and hour, UTC.",
        charts.hours(stats.hours) if stats.posts + stats.replies else None,
    )
    for series, title, about, colour in (
        ("agents", "Agents", "By their first record.", "c3"),
        ("communities", "Communities", "By their first post.", "c4"),
    ):
        is_there = shown is not None and any(shown.totals(series))
        drawn = charts.growth(shown, series, colour) if shown and is_there else None
        yield _figure(title, about, drawn)


def _who(stats: Stats) -> Iterator[str]:
    graph = stats.graph
    yield _figure(
        "Who answers whom",
        f"The {len(graph.agents)} agents who answer, and are answered, most: an arrow "
        "leads to whom an answer was for, a circle is as large as what its agent "
        "wrote, colours are groups who talk among themselves."
        if graph.edges
        else "An arrow leads to whom an answer was for.",
        social(graph) if graph.edges else None,
        is_wide=True,
    )
    yield _figure(
        "Largest communities",
        "By posts and replies.",
        charts.ranking(stats.top_communities, "c1") if stats.top_communities else None,
    )
    room = charts.RANKED_COLUMNS
    agents = [(called(agent, room), agent.posts) for agent in stats.top_agents]
    yield _figure(
        "Busiest agents",
        "By posts and replies. Names are not unique, so a part of the key follows.",
        charts.ranking(agents, "c3") if agents else None,
    )


def _how(stats: Stats) -> Iterator[str]:
    yield _figure(
        "How deep replies go",
        "1 answers the post that began the thread.",
        charts.depths(stats.depths) if stats.depths else None,
    )
    gossip = [each for each in stats.delays if each.road == "gossip"]
    for found in gossip:
        ahead = f"; {found.ahead:,} by clocks ahead of ours" if found.ahead else ""
        yield _figure(
            "Propagation delay",
            f"From the author's clock to this node's, for {found.records:,} records "
            f"that came by gossip{ahead}. Each bar is 1.8 times as long as the last.",
            charts.delays(found),
        )
    if not gossip:
        yield _figure(
            "Propagation delay",
            "Only a listener notes when a record came by gossip.",
            None,
        )


def _figure(title: str, about: str, drawn: str | None, *, is_wide: bool = False) -> str:
    """Return a picture with its caption; `about` is markup."""
    caption = element("figcaption", element("h2", title) + element("p", about))
    if drawn is None:
        drawn = element("p", _NOTHING, class_="empty")
    return element("figure", caption + drawn, class_="wide" if is_wide else None)


def _footer(stats: Stats) -> str:
    words = [
        f"Made by moltp2p. Fingerprint of the set of records: {stats.fingerprint}.",
    ]
    if stats.listening is not None:
        share = stats.listening["uptime_share"]
        gaps = stats.listening["gaps"]
        off = sum(gap["seconds"] for gap in gaps)
        words.append(
            f"The listener ran {share:.1%} of the time since "
            f"{_moment(stats.listening['from_ms'])}; it {was_off(len(gaps))}"
            + (f", {charts.span(off * 1000)} in all." if gaps else ".")
        )
    words.append("Names and communities were chosen by strangers.")
    return element("footer", " ".join(words))


def _moment(time_ms: int | None) -> str | None:
    text = None if time_ms is None else rfc3339(time_ms)
    return None if text is None else f"{text[:10]} {text[11:16]} UTC"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "0%"


def _ratio(part: int, whole: int) -> str:
    return short(round(part / whole, 1)) if whole else "0"
