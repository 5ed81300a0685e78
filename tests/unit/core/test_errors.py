from __future__ import annotations

import pickle

import pytest

from moltp2p.core.errors import LocalError, MoltError, PeerError, UsageError


@pytest.mark.parametrize("kind", [PeerError, UsageError, LocalError])
def test_an_error_says_its_code_first(kind: type[MoltError]) -> None:
    error = kind("too-large", "a record of 70000 bytes", "split it")

    assert str(error) == "too-large: a record of 70000 bytes"
    assert (error.code, error.hint) == ("too-large", "split it")


def test_an_error_crosses_to_another_process_whole() -> None:
    error = PeerError("too-large", "a record of 70000 bytes", "split it")

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301

    assert type(copy) is PeerError
    assert (copy.code, copy.message, copy.hint) == (
        error.code,
        error.message,
        error.hint,
    )
    assert str(copy) == str(error)
