"""A store looked at anew: what is invalid in it, and what was told twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from moltp2p.core.record import Record
from moltp2p.node.node import Node
from moltp2p.testing.audit import Repeats, is_valid
from moltp2p.testing.factories import TestAgent

ALICE, MALLORY = TestAgent("alice"), TestAgent("mallory")
POST = ALICE.post("hello")
OTHER = ALICE.post("bye")


def test_a_record_of_the_mesh_is_valid() -> None:
    assert is_valid(POST, {ALICE.id})
    assert is_valid(POST.without_body(), {ALICE.id})


def test_whoever_is_not_of_the_mesh_may_not_have_written_it() -> None:
    assert not is_valid(MALLORY.post(), {ALICE.id})


def test_another_body_another_signature_or_another_id_is_invalid() -> None:
    last = POST.sign1[-1] ^ 1
    for forged in (
        replace(POST, body=b"goodbye"),
        replace(POST, sign1=POST.sign1[:-1] + bytes([last])),
        replace(POST, sign1=OTHER.sign1),
        replace(POST, id=OTHER.id),
    ):
        assert not is_valid(forged, {ALICE.id})


def node_that_tells(records: Sequence[Record]) -> Node:
    async def told() -> AsyncIterator[Any]:
        for record in records:
            yield SimpleNamespace(stored=SimpleNamespace(record=record))

    @asynccontextmanager
    async def subscribe() -> AsyncIterator[Any]:
        yield told()

    return cast("Node", SimpleNamespace(subscribe=subscribe))


async def test_what_is_told_again_or_was_held_before_is_counted() -> None:
    repeats = Repeats({OTHER.id})

    await repeats.watch(node_that_tells([POST, OTHER, POST]))

    assert repeats.count == 2


async def test_what_is_new_is_told_once() -> None:
    repeats = Repeats(set())

    await repeats.watch(node_that_tells([POST, OTHER]))

    assert repeats.count == 0
