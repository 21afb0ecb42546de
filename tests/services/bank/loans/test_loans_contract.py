"""The inputs that the loans contract accepts, and the handlers that serve its tools."""

import pytest
from pydantic import ValidationError

from services.tools.bank.loans.contract import GET_LOAN_SCHEDULE, LIST_LOANS, ScheduleQuery
from services.tools.bank.loans.handlers import loans_object
from switchboard import Tool, ToolInput
from switchboard.messages import WireModel
from tests.services.bank.demo import DEMO

loans = loans_object(DEMO)


@pytest.mark.parametrize("tool", [LIST_LOANS, GET_LOAN_SCHEDULE], ids=lambda tool: tool.name)
def test_every_read_tool_has_a_shared_handler_with_matching_types(tool: Tool[ToolInput, WireModel]) -> None:
    handler = loans.handlers[tool.handler]
    assert tool.service == loans.name
    assert handler.kind == "shared"
    assert handler.handler_io.input_type is not None
    assert handler.handler_io.input_type.annotation is tool.input
    assert handler.handler_io.output_type is not None
    assert handler.handler_io.output_type.annotation is tool.output


@pytest.mark.parametrize("loan_id", ["", "2041", "LN-20411", "LN-204", "ln-2041", "CL-3310", "LN-2041\n"])
def test_query_rejects_malformed_loan_ids(loan_id: str) -> None:
    with pytest.raises(ValidationError):
        ScheduleQuery(loan_id=loan_id)
