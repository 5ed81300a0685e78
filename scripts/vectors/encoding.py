"""Vectors of spec 02: values and their one spelling, and what is refused."""

from __future__ import annotations

from typing import Final

from moltp2p.core import codec
from moltp2p.core.codec import Value
from scripts.vectors.form import Case, spell, to_json

_DEEPEST: Final[Value] = [[[[[[[[0]]]]]]]]
_DEEPEST_MAPS: Final[Value] = {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 0}}}}}}}}
_EMOJI: Final = "\N{SLIGHTLY SMILING FACE}"

VALUES: Final[dict[str, tuple[Value, str]]] = {
    "null": (None, ""),
    "false": (False, ""),
    "true": (True, ""),
    "zero": (0, ""),
    "integer-23": (23, "the greatest in one byte"),
    "integer-24": (24, ""),
    "integer-255": (255, ""),
    "integer-256": (256, ""),
    "integer-65536": (65_536, ""),
    "integer-4294967296": (2**32, ""),
    "integer-max": (2**63 - 1, ""),
    "integer-minus-1": (-1, ""),
    "integer-minus-25": (-25, ""),
    "integer-min": (-(2**63), ""),
    "bytes-empty": (b"", ""),
    "bytes": (b"\x00\xff", ""),
    "text-empty": ("", ""),
    "text": ("caf\u00e9 " + _EMOJI, "two bytes, four bytes"),
    "text-not-normalised": ("cafe\u0301", "e and an accent: left as they are"),
    "text-with-nul": ("a\x00b", ""),
    "array-empty": ([], ""),
    "array": ([1, [2, "3"], None], ""),
    "map-empty": ({}, ""),
    "map": ({"a": 1, "b": [True]}, ""),
    "map-order": ({"b": 1, "aa": 2}, "shorter keys first"),
    "map-order-bytes": ({"\uffff": 1, _EMOJI: 2}, "three bytes before four"),
    "map-empty-key": ({"": 0}, ""),
    "depth-8": (_DEEPEST, ""),
    "depth-8-maps": (_DEEPEST_MAPS, ""),
    "items-4096": ([0] * 4_096, ""),
}

MALFORMED: Final = {
    "no-bytes": ("", ""),
    "truncated-text": ("6261", "two bytes announced, one there"),
    "truncated-map": ("a16161", "a key without a value"),
    "reserved-length": ("1c" + "00" * 16, ""),
    "reserved-length-30": ("1e" + "00" * 64, ""),
    "indefinite-integer": ("1f" + "00" * 128, ""),
    "indefinite-negative": ("3f" + "00" * 128, ""),
    "break-alone": ("ff", ""),
    "surrogate": ("63eda080", "U+D800"),
    "overlong": ("62c1a1", "a in two bytes"),
    "not-utf8": ("61ff", ""),
    "float": ("f93c00", "1.0"),
    "float-64": ("fb3ff8000000000000", "1.5"),
    "not-a-number": ("f97e00", ""),
    "undefined": ("f7", ""),
    "simple-value": ("e0", ""),
    "simple-value-two-bytes": ("f8ff", ""),
    "simple-value-reserved": ("f818", ""),
    "integer-above": ("1b8000000000000000", "2^63"),
    "integer-below": ("3b8000000000000000", "-2^63 - 1"),
    "integer-key": ("a10001", ""),
    "bytes-key": ("a1416101", ""),
    "array-key": ("a1800001", ""),
    "map-key": ("a1a001", ""),
    "null-key": ("a1f601", ""),
    "tag-date-text": ("c06a323032352d31302d3039", ""),
    "tag-epoch-time": ("c100", ""),
    "tag-big-number": ("c24101", "1, as tag 2"),
    "tag-decimal": ("c4821b7fffffffffffffff01", "1e(2^63-1)"),
    "tag-big-float": ("c5821b7fffffffffffffff01", "1 * 2^(2^63-1): never finishes"),
    "tag-rational": ("d81e820100", "1/0"),
    "tag-pattern": ("d823662861292b2b", "a regular expression"),
    "tag-shared": ("d81c8100", ""),
    "tag-shared-cycle": ("d81c81d81d00", "an array that contains itself"),
    "tag-string-reference": ("d9010082616161d81900", ""),
    "tag-set": ("d90102820102", ""),
    "tag-self-described": ("d9d9f700", ""),
    "tag-unknown": ("c600", ""),
    "depth-9": ("8181818181818181" + "8100", ""),
    "depth-9-maps": ("a16161" * 9 + "00", ""),
    "depth-9-empty": ("8181818181818181" + "80", ""),
    "huge-array": ("9bffffffffffffffff", "2^64 - 1 items announced"),
    "huge-map": ("bb7fffffffffffffff", ""),
    "huge-bytes": ("5b7fffffffffffffff", ""),
    "huge-text": ("7b7fffffffffffffff", ""),
}

NOT_CANONICAL: Final = {
    "long-integer": ("1817", "23 in two bytes"),
    "long-negative": ("390000", "-1 in three bytes"),
    "long-text-length": ("780161", ""),
    "long-array-length": ("9800", ""),
    "unsorted-map": ("a2616201616102", "b before a"),
    "unsorted-by-length": ("a262616101616202", "aa before b"),
    "repeated-key": ("a2616101616102", ""),
    "repeated-entry": ("a2616101616101", ""),
    "indefinite-array": ("9fff", ""),
    "indefinite-map": ("bfff", ""),
    "indefinite-bytes": ("5f4100ff", ""),
    "indefinite-text": ("7f6161ff", ""),
    "trailing-byte": ("0000", ""),
    "trailing-half": ("0018", "what follows is not even CBOR"),
}

UNWRITABLE: Final[dict[str, object]] = {
    "write-float": 1.5,
    "write-surrogate": "\ud800",
    "write-integer-above": {"int": str(2**63)},
    "write-integer-below": {"int": str(-(2**63) - 1)},
    "write-depth-9": [_DEEPEST],
}


def cases() -> list[Case]:
    """Return the cases of spec 02."""
    written = [
        _case(name, "decode", note, spell(codec.encode(value)), output=to_json(value))
        for name, (value, note) in VALUES.items()
    ]
    refused = [
        _case(name, "decode", note, text, error=error)
        for error, table in (("malformed", MALFORMED), ("not-canonical", NOT_CANONICAL))
        for name, (text, note) in table.items()
    ]
    crowds = {
        "items-4097": b"\x99\x10\x01" + bytes(4_097),
        "items-4097-in-two": b"\x82\x99\x0f\xff" + bytes(4_095) + b"\x80",
    }
    refused += [
        _case(name, "decode", "", spell(crowd), error="malformed")
        for name, crowd in crowds.items()
    ]
    unwritable = [
        _case(name, "encode", "", value, error="wrong-type")
        for name, value in UNWRITABLE.items()
    ]
    return [*written, *refused, *unwritable]


def _case(name: str, op: str, note: str, given: object, **result: object) -> Case:
    return {"name": name, "op": op, "note": note, "input": given, **result}
