from __future__ import annotations

import pytest
from hypothesis import given

from moltp2p.core.ids import RecordId, agent_text, record_text
from moltp2p.study import names
from moltp2p.study.names import Names, cid
from moltp2p.testing.factories import TestAgent
from tests.strategies import record_ids


@given(record_ids)
def test_a_text_is_the_one_that_everybody_writes(record: RecordId) -> None:
    assert cid(record) == record_text(record)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "KNOWN", 10)
    known = Names()
    ids = [RecordId(bytes([number] * 32)) for number in range(50)]

    assert [known.record(each) for each in ids] == [record_text(each) for each in ids]
    assert len(known._records) <= 10
    assert known.record(None) is None
    alice = TestAgent("alice").id
    assert known.agent(alice) == known.agent(alice) == agent_text(alice)
