"""Refusals because of a customer's limits, as Problems with the time to wait."""

import re
from datetime import UTC, datetime

from switchboard.gateway.problems import Problem
from switchboard.ingress import TOO_MANY_REQUESTS, HandlerFailed
from switchboard.session.allowance import seconds_until_next_day
from switchboard.session.contract import RETRY_IN_SECONDS, RETRY_TOMORROW

WAIT = re.compile(re.escape(RETRY_IN_SECONDS).replace(re.escape("{seconds}"), r"(\d{1,6})"))


def limit_problem(failed: HandlerFailed) -> Problem | None:
    """Return the Problem for a message that a session refused because of its customer's limits; None for others."""
    wait_s = seconds_to_wait(failed.message) if failed.status == TOO_MANY_REQUESTS else None
    return None if wait_s is None else Problem(TOO_MANY_REQUESTS, "customer_limit", failed.message, wait_s)


def seconds_to_wait(refusal: str) -> int | None:
    """Return how long a session's refusal says to wait; None if it is not one of LIMIT_REFUSALS."""
    if refusal.endswith(RETRY_TOMORROW):
        return seconds_until_next_day(datetime.now(UTC))
    found = WAIT.search(refusal)
    return int(found[1]) if found else None
