"""Moves the clock of Python's programs by PYTHON_CLOCK_OFFSET_SECONDS. scripts.dates puts this folder on PYTHONPATH."""

import os
import time

CLOCK_OFFSET_SECONDS = "PYTHON_CLOCK_OFFSET_SECONDS"
"""Every process of a local mesh inherits variables with this beginning."""


def move_clock() -> None:
    """Let time pass as usual, but from another time on. Does nothing if the variable is not set."""
    if offset := os.environ.get(CLOCK_OFFSET_SECONDS):
        import time_machine  # noqa: PLC0415  # Every process of the tests imports this module.

        moved = time_machine.escape_hatch.is_travelling()
        now = time_machine.escape_hatch.time.time() if moved else time.time()
        time_machine.travel(now + float(offset)).start()


move_clock()
