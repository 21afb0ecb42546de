"""The path with which staff look into a turn. Adds links to Jaeger and the Restate UI, if their addresses are set."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Path, Request, Response
from pydantic import AnyHttpUrl, Field

from switchboard.gateway.api import json_response
from switchboard.gateway.contract import SessionId
from switchboard.gateway.openapi import PROBLEMS
from switchboard.gateway.settings import ConsoleSettings
from switchboard.gateway.spans import set_attribute
from switchboard.gateway.staff import Member, StaffRoute, client_of
from switchboard.session.contract import TurnRecord
from switchboard.session.staff_contract import StaffTurnRequest, TurnInspection
from switchboard.session_ids import public_part
from switchboard.telemetry.spans import CONVERSATION

TURN_MAX = 999_999


class InspectedTurn(TurnInspection):
    """A turn as staff see it. A link is empty without the setting, or if the turn's record lacks the id."""

    trace_url: str = Field("", description="The message's trace in Jaeger.")
    invocation_url: str = Field("", description="The message's invocation in the Restate UI.")


def add_inspection(app: FastAPI, settings: ConsoleSettings) -> None:
    """Add the path to the API. `settings` have the addresses for links."""
    inspection = APIRouter(prefix="/v1/staff", responses=PROBLEMS, route_class=StaffRoute, tags=["staff"])

    @inspection.get("/sessions/{session_id}/turns/{turn}", response_model=InspectedTurn)
    async def turn(
        request: Request, session_id: SessionId, turn: Annotated[int, Path(ge=1, le=TURN_MAX)], member: Member
    ) -> Response:
        """Return a turn with its cost, the refusals of tools, and the durations of its calls for a day."""
        set_attribute(CONVERSATION, public_part(session_id))
        wanted = StaffTurnRequest(by=member, session_id=session_id, turn=turn)
        found = InspectedTurn.model_validate_json(await client_of(request).read("turn", wanted))
        return json_response(found.model_copy(update=links(found.record, settings)).model_dump_json().encode())

    app.include_router(inspection)


def links(record: TurnRecord, settings: ConsoleSettings) -> dict[str, str]:
    return {
        "trace_url": link(settings.jaeger_url, "trace", record.trace_id),
        "invocation_url": link(settings.restate_ui_url, "invocations", record.invocation_id),
    }


def link(site: AnyHttpUrl | None, kind: str, record_id: str) -> str:
    return f"{str(site).rstrip('/')}/{kind}/{quote(record_id, safe='')}" if site is not None and record_id else ""
