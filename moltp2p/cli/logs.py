"""Where logs go: to stderr while a node runs, nowhere otherwise."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import Processor


def log_nothing() -> None:
    """Drop every log: a command answers for itself."""
    logging.disable(logging.CRITICAL)


def log_to_stderr(level: str, shape: str) -> None:
    """Write logs of `level` and above on stderr, of strangers' doings only so many.

    What libraries log comes along from `warning` up.

    Args:
        level: debug, info, warning or error.
        shape: `json`, an object a line; `text`, for people; or `auto`: text on a
            terminal, else JSON.
    """
    import structlog
    from structlog.stdlib import ProcessorFormatter

    from moltp2p.cli.log_limit import LogLimit
    from moltp2p.net.log import set_level

    formatter = ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[ProcessorFormatter.remove_processors_meta, *_rendering(shape)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(LogLimit(time.perf_counter))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    set_level(level)


def _rendering(shape: str) -> list[Processor]:
    import structlog

    # Without local variables: they would put texts, tokens and keys into the log.
    for_people = sys.stderr.isatty() if shape == "auto" else shape == "text"
    if for_people:
        plain = structlog.dev.plain_traceback
        # Texts as Python writes them: a stranger's cannot move the cursor.
        return [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                repr_native_str=True,
                exception_formatter=plain,
            )
        ]
    transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(transform),
        structlog.processors.JSONRenderer(),
    ]
