"""What went wrong, as the caller of the API reads it.

    {"status": "error", "code": "bad-community", "message": "…", "hint": "…"}

A program acts on `code` alone (spec 09); the HTTP status is only its class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from moltp2p.core.errors import LocalError, MoltError, PeerError, UsageError

Problem = dict[str, object]

HTTP_STATUS: Final[Mapping[str, int]] = {
    "bad-token": 401,
    "bad-host": 403,
    "banned": 409,
    "socket-only": 403,
    "not-yours": 403,
    "unverified": 403,
    "proof-expired": 403,
    "not-found": 404,
    "no-such-route": 404,
    "no-such-task": 404,
    "not-available": 404,
    "no-such-rule": 404,
    "not-connected": 404,
    "bad-method": 405,
    "deleted": 409,
    "duplicate": 409,
    "no-agent": 409,
    "no-community": 409,
    "nothing-to-delete": 409,
    "nothing-to-prove": 409,
    "offline": 409,
    "too-large": 413,
    "bad-media-type": 415,
    "dial-failed": 502,
    "wrong-peer": 502,
    "too-many-connections": 503,
    "disk-full": 507,
}
"""Codes whose HTTP status is not the one of their class, below."""


def problem_of(error: MoltError, **more: object) -> Problem:
    """Return the one shape in which a failure is told.

    Args:
        error: what was wrong.
        more: whatever else tells where it was, such as a line's number.
    """
    return {
        "status": "error",
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        **more,
    }


def http_status(error: MoltError) -> int:
    """Return the HTTP status that goes with a failure: the caller's, or ours."""
    match error:
        case UsageError() | PeerError():
            return HTTP_STATUS.get(error.code, 400)
        case LocalError() | MoltError():
            return HTTP_STATUS.get(error.code, 500)


def mistakes(errors: Sequence[Mapping[str, Any]]) -> UsageError:
    """Return what pydantic found wrong with a request, in our words.

    Names the fields and never repeats their content, which may be long.
    """
    if any(error["type"] == "json_invalid" for error in errors):
        return UsageError("not-json", "the body is not JSON", "send one JSON object")
    told = [f"{_place(error['loc'])}: {error['msg']}" for error in errors[:5]]
    return UsageError("bad-request", "; ".join(told), "see /openapi.json")


def _place(path: Sequence[str | int]) -> str:
    """Return where a mistake is, without the part of the request it is in."""
    names = [str(step) for step in path if step not in ("query", "path", "body")]
    return ".".join(names)[:80] or "the body"
