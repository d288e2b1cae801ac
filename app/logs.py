"""Structured logs: one line for each change of state, on standard output.

Invariant: lines hold ids, kinds and counts; never an address, a token, a client address or a body.
"""

import logging
import sys

import structlog

from config import Settings


def configure(settings: Settings) -> None:
    console = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    renderer = structlog.processors.JSONRenderer() if settings.log_format == "json" else console
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
