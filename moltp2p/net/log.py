"""Logs, by way of the standard library, so that an embedding program has the say.

structlog's own default prints to standard output, where a program may be speaking
JSON to another. So each event goes to the logger of its module: its name is the
message, its fields are the record's `extra`.
"""

from __future__ import annotations

import logging
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_OURS: Final = logging.getLogger("moltp2p")


def set_level(level: str) -> None:
    """Log what of ours is at least so severe, from now on."""
    _OURS.setLevel(LEVELS[level])


def get_level() -> str:
    """Return the least severe level of ours that is logged."""
    names = {number: name for name, number in LEVELS.items()}
    return names.get(_OURS.getEffectiveLevel(), "error")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module.

    Args:
        name: its `__name__`.
    """
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, _to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return logger


def _to_record(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Return what `logging` is called with."""
    return {
        "msg": event.pop("event"),
        "exc_info": event.pop("exc_info", None),
        "extra": event,
    }
