"""All that reads what strangers, and clients of the API, say.

A new parser is one more row, in the file that it belongs to; each is a
`tests.fuzz.parser.Parser`, and all rows are run by `tests/fuzz/test_parsers.py`.
"""

from __future__ import annotations

from typing import Final

from tests.fuzz import api, proof, records, sync, wire
from tests.fuzz.parser import Parser

# The slow ones are near the beginning, so that all cores are busy to the end.
TABLE: Final[tuple[Parser, ...]] = (
    *api.ROWS,
    *sync.ROWS,
    *proof.ROWS,
    *wire.ROWS,
    *records.ROWS,
)
