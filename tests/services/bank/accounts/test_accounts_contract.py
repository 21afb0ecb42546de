"""The inputs that the accounts contract accepts, and the handlers that serve its tools."""

import pytest
from pydantic import ValidationError

from services.tools.bank.accounts.contract import (
    GET_BALANCE,
    LIST_TRANSACTIONS,
    SUMMARIZE_SPENDING,
    TRANSACTIONS_MAX,
    TransactionQuery,
)
from services.tools.bank.accounts.handlers import accounts_object
from switchboard import Tool, ToolInput
from switchboard.messages import WireModel
from tests.services.bank.demo import DEMO

accounts = accounts_object(DEMO)


@pytest.mark.parametrize("tool", [GET_BALANCE, LIST_TRANSACTIONS, SUMMARIZE_SPENDING], ids=lambda tool: tool.name)
def test_every_read_tool_has_a_shared_handler_with_matching_types(tool: Tool[ToolInput, WireModel]) -> None:
    handler = accounts.handlers[tool.handler]
    assert tool.service == accounts.name
    assert handler.kind == "shared"
    assert handler.handler_io.input_type is not None
    assert handler.handler_io.input_type.annotation is tool.input
    assert handler.handler_io.output_type is not None
    assert handler.handler_io.output_type.annotation is tool.output


@pytest.mark.parametrize("period", ["this_month", "september", "2026-09", "1999-12"])
def test_query_accepts_named_periods_and_months(period: str) -> None:
    assert TransactionQuery(period=period).period == period


@pytest.mark.parametrize(
    "field",
    [
        {"period": "2026-13"},
        {"period": "2026-9"},
        {"period": "0000-01"},
        {"period": "٢٠٢٦-01"},
        {"period": "2026-09\n"},
        {"period": "yesterday"},
        {"category": "bribes"},
        {"account": "offshore"},
        {"limit": 0},
        {"limit": TRANSACTIONS_MAX + 1},
        {"customer_id": "bob"},
    ],
    ids=str,
)
def test_query_rejects_invalid_fields(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TransactionQuery.model_validate(field)
