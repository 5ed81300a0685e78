"""Where logs go: JSON on stderr while a node runs, nowhere otherwise."""

from __future__ import annotations

import logging
import sys


def log_nothing() -> None:
    """Drop every log: a command answers for itself."""
    logging.disable(logging.CRITICAL)


def log_json(level: str) -> None:
    """Write logs of `level` and above as JSON lines on stderr.

    What libraries log comes along from `warning` up.
    """
    import structlog
    from structlog.stdlib import ProcessorFormatter

    from moltp2p.net.log import set_level

    formatter = ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            # Without local variables: they would put texts, tokens and keys into
            # the log.
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    set_level(level)
