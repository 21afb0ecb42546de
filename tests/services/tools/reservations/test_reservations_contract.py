"""What a model may pass, and what it neither sees nor sets."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.tools.reservations.contract import CHANGE_SEAT, GET_RESERVATION, GET_SEAT_MAP, BookingRequest
from switchboard import Tool


@pytest.mark.parametrize("tool", [CHANGE_SEAT, GET_SEAT_MAP], ids=lambda tool: tool.name)
def test_the_model_neither_sees_nor_sets_the_customer(tool: Tool[Any, Any]) -> None:
    assert tool.filled_fields() == {"customer_id": "customer_id"}
    assert "customer_id" not in tool.parameters()["properties"]


def test_a_seat_change_needs_booking_and_seat() -> None:
    schema = CHANGE_SEAT.parameters()
    assert sorted(schema["required"]) == ["confirmation_number", "seat"]
    assert schema["properties"]["seat"]["pattern"] == "^[1-9][0-9]?[A-Fa-f]$"


def test_the_model_sees_the_form_of_a_confirmation_number() -> None:
    field = GET_RESERVATION.parameters()["properties"]["confirmation_number"]
    assert (field["pattern"], field["examples"]) == ("^[A-Za-z]{2}[0-9]{4}$", ["AB4568"])


@pytest.mark.parametrize("text", ["ab4568", "AB4568", " Ab4568 "])
def test_a_confirmation_number_is_taken_in_any_case(text: str) -> None:
    assert BookingRequest(confirmation_number=text).confirmation_number == "AB4568"


@pytest.mark.parametrize("text", ["AB456", "AB45689", "4568AB", "A14568", "AB 4568", ""])
def test_what_is_no_confirmation_number_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        BookingRequest(confirmation_number=text)
