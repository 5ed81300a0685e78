"""`manifest.json`: what a dataset is of, how much it has, and what it lacks."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from moltp2p.api.views import rfc3339
from moltp2p.core.selection import Selection
from moltp2p.core.topics import NetworkParams, all_topics, topic_of
from moltp2p.proto.sync.reconcile import SetSum
from moltp2p.study.dataset import Dataset, Heard
from moltp2p.study.parts import WrittenFile
from moltp2p.study.spans import listening
from moltp2p.study.tables import FORMAT, TABLES


def manifest(dataset: Dataset, selection: Selection, *, bodies: bool) -> dict[str, Any]:
    """Return the manifest of a dataset whose tables are finished."""
    heard, head = dataset.heard, dataset.heard.head
    files = sorted(
        (file for parts in dataset.parts.values() for file in parts.files),
        key=lambda file: file.path,
    )
    return {
        "format": FORMAT,
        "network": head["network"],
        "admission": "proof" if head["admission"] else "open",
        "as_of_ms": heard.as_of_ms,
        "as_of": rfc3339(heard.as_of_ms),
        "program": f"moltp2p {head['program']}",
        "written_with": f"pyarrow {pa.__version__}",
        "selection": {
            "community": selection.community,
            "since_ms": selection.since_ms or None,
            "until_ms": selection.until_ms,
            "bodies": bodies,
        },
        "counts": {name: parts.rows for name, parts in dataset.parts.items()},
        "store": _store(heard, is_all=selection == Selection()),
        "completeness": {
            "listening": listening(heard.spans),
            "sequences": heard.agents,
            "topics": _topics(head, selection),
            "peers_seen": heard.peers,
            "arrivals_let_go_of": max(head["first_arrival"] - 1, 0),
            "keeps": _keeps(head),
        },
        "tables": {table.name: _columns(table.name) for table in TABLES},
        "files": [_file(file) for file in files],
    }


def _store(heard: Heard, *, is_all: bool) -> dict[str, Any]:
    """Return what the store held, and whether the dataset agrees with it."""
    head, end = heard.head, heard.end
    told = SetSum(heard.records, heard.id_total % 2**256)
    is_comparable = is_all and not (end["damaged"] or head["beyond_quota"])
    same = told.fingerprint().hex() == head["fingerprint"]
    return {
        "schema": head["schema"],
        "role": head["role"],
        "records": head["records"],
        "record_bytes": head["record_bytes"],
        "fingerprint": head["fingerprint"],
        "damaged": end["damaged"],
        "unreadable": end["holes"],
        "lost": head["lost"],
        "beyond_quota": head["beyond_quota"],
        "fingerprint_agrees": same if is_comparable else None,
    }


def _topics(head: dict[str, Any], selection: Selection) -> list[dict[str, Any]]:
    """Return the network's topics, which of them were followed, and their sets."""
    network = NetworkParams(head["network"], head["shards"])
    followed = {topic_of(network, None)}
    followed |= {topic_of(network, each) for each in head["communities"]}
    wanted = selection.community
    return [
        {
            "topic": topic,
            "followed": not head["communities"] or topic in followed,
            "selected": wanted is None or topic == topic_of(network, wanted),
            **each,
        }
        for topic, each in zip(all_topics(network), head["sets"], strict=True)
    ]


def _keeps(head: dict[str, Any]) -> dict[str, Any]:
    return {
        "beyond_quotas": head["keep_all"],
        "days": head["keep_days"] or None,
        "mib": head["keep_mib"] or None,
    }


def _columns(name: str) -> dict[str, Any]:
    (table,) = [each for each in TABLES if each.name == name]
    return {
        "about": table.about,
        "key": list(table.key),
        "by_date": table.by_date,
        "columns": {each.name: str(each.type) for each in table.columns},
    }


def _file(file: WrittenFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "rows": file.rows,
        "bytes": file.size_bytes,
        "sha256": file.sha256,
    }
