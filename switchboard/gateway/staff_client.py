"""Client of the staff door. Turns its refusals and failures into Problems."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from switchboard.gateway.problems import Problem
from switchboard.gateway.sessions import (
    KEY_REUSED,
    NOT_READY,
    REFUSED_SIGNATURE,
    RETRY_AFTER_S,
    UNAVAILABLE,
    call_unspoilt,
    not_signed,
)
from switchboard.ingress import HandlerFailed, IngressUnavailable, NotAMesh, RestateIngress
from switchboard.messages import WireModel
from switchboard.session.contract import SESSION_EXPIRED, ClaimedKey
from switchboard.session.staff_contract import (
    ANSWERS,
    NOT_OFFERED,
    NOT_TAKEN_OVER,
    REGISTRY_AWAY,
    SESSIONS_UNREADABLE,
    STAFF_DOOR,
    StaffAnswer,
    StaffCall,
    StaffRequest,
)
from switchboard.telemetry.spans import CANCELLATION_MESSAGE

logger = logging.getLogger(__name__)

CALL_TIMEOUT = timedelta(seconds=30)
"""Timeout of a request to the door, retries included. A dump of records takes seconds."""

CODES = {400: "request_invalid", 404: "record_unknown", 409: "already_decided"}
"""Codes of the staff services' refusals, by status. The service's sentence becomes the detail."""

LOST = (
    "The mesh could not finish this request. Look at the record to see what was done before you send the request again"
    " with a new Idempotency-Key."
)
STOPPED = "An operator stopped this request. Look at the record to see what was done."

JSON = TypeAdapter(object)


class StaffClient:
    """The staff door behind Restate's ingress. Its methods raise Problem."""

    def __init__(self, ingress: RestateIngress) -> None:
        self._ingress = ingress

    async def read(self, handler: str, request: WireModel) -> bytes:
        """Call a handler of the door that changes nothing, and return its answer as JSON."""
        with problems_for_errors():
            return await self._ingress.read(path(handler), request, CALL_TIMEOUT)

    async def ask(self, handler: str, call: StaffCall) -> bytes:
        """Call a staff service that changes nothing, and return the service's answer as JSON."""
        return unpacked(await self.read(handler, call))

    async def act(self, call: StaffCall, key: str) -> bytes:
        """Call a staff service once, under a key, and return its answer as JSON."""
        return unpacked(await self._once("act", call, key, call.model_dump_json()))

    async def act_in_session(self, handler: str, request: StaffRequest, key: str) -> bytes:
        """Call a handler of the door that changes a session, once, under a key, and return its answer as JSON."""
        return await self._once(handler, request, key, f"{handler} {request.model_dump_json()}")

    async def _once(self, handler: str, request: StaffRequest, key: str, claim: str) -> bytes:
        """Call a handler of the door under a key. `claim` is what the key is good for."""
        scoped = f"staff/{request.by}/{key}"
        digest = ClaimedKey(digest=hashlib.sha256(claim.encode()).hexdigest())
        with problems_for_errors():
            if not await self._ingress.claim(path("claim"), digest, CALL_TIMEOUT, scoped):
                raise Problem(422, "key_reused", KEY_REUSED)
            handle = path(handler)
            return await call_unspoilt(lambda key: self._ingress.call(handle, request, CALL_TIMEOUT, key), scoped)


def path(handler: str) -> str:
    return f"/{STAFF_DOOR}/{handler}"


def unpacked(content: bytes) -> bytes:
    """Return the staff service's own answer."""
    return JSON.dump_json(StaffAnswer.model_validate_json(content).answer)


@contextmanager
def problems_for_errors() -> Iterator[None]:
    """Turn errors of the ingress into Problems."""
    try:
        yield
    except IngressUnavailable as error:
        logger.warning("Restate's ingress does not answer")
        raise Problem(503, "restate_away", UNAVAILABLE, RETRY_AFTER_S) from error
    except (NotAMesh, ValidationError) as error:
        logger.error("Restate's ingress has no staff door; are the mesh's services registered there?")
        raise Problem(503, "mesh_not_ready", NOT_READY, RETRY_AFTER_S) from error
    except HandlerFailed as error:
        if not_signed(error):
            logger.error(REFUSED_SIGNATURE)
            raise Problem(503, "mesh_not_ready", NOT_READY, RETRY_AFTER_S) from error
        raise problem_of(error) from error


def problem_of(failed: HandlerFailed) -> Problem:
    """Return the Problem for a handler's error. Refusals are written for staff; messages of bugs are hidden."""
    if failed.message.startswith(NOT_OFFERED):
        return Problem(404, "not_offered", failed.message)
    if failed.message in (REGISTRY_AWAY, SESSIONS_UNREADABLE):
        return Problem(503, "mesh_not_ready", failed.message, RETRY_AFTER_S)
    if failed.message == CANCELLATION_MESSAGE:
        return Problem(409, "stopped", STOPPED)
    if failed.message == NOT_TAKEN_OVER:
        return Problem(409, "not_taken_over", failed.message)
    if ANSWERS in failed.message:
        return Problem(409, "taken_over", failed.message)
    if failed.message == SESSION_EXPIRED:
        return Problem(410, "session_expired", failed.message)
    if failed.status in CODES:
        return Problem(failed.status, CODES[failed.status], f"{failed.message.rstrip('.')}.")
    logger.error("a staff member's request could not be finished: status %s", failed.status)
    return Problem(500, "request_lost", LOST)
