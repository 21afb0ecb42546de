"""Names of logs and metrics, and the one set-up of them. Traces join here."""

import logging
import sys

import restate

LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s  %(message)s"


def set_up_logging(level: str) -> None:
    """Log to stdout, without the lines that a replay would say a second time."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    handler.addFilter(restate.RestateLoggingFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # One line for each model call says nothing that the journal does not say better.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
