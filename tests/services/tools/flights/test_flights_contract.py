"""What a model may pass, and what it is shown."""

import pytest
from pydantic import ValidationError

from services.tools.flights.contract import GET_FLIGHT_STATUS, ClaimSeat, FlightStatusRequest


def seat_in(text: str) -> str:
    return ClaimSeat(confirmation_number="AB4568", cabin="economy", seat=text, claim_id="claim-1").seat


@pytest.mark.parametrize(("text", "seat"), [("10b", "10B"), ("10B", "10B"), (" 5f ", "5F")])
def test_a_seat_is_taken_in_any_case(text: str, seat: str) -> None:
    assert seat_in(text) == seat


@pytest.mark.parametrize("text", ["0A", "100A", "10G", "10", "B10", ""])
def test_what_is_no_seat_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        seat_in(text)


@pytest.mark.parametrize("text", ["SB1", "SB1234", "101", "S1101", ""])
def test_what_is_no_flight_number_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        FlightStatusRequest(flight_number=text)


def test_a_flight_number_is_taken_in_any_case() -> None:
    assert FlightStatusRequest(flight_number="sb245").flight_number == "SB245"


def test_the_model_sees_pattern_and_example_and_may_leave_out_the_date() -> None:
    schema = GET_FLIGHT_STATUS.parameters()
    assert schema["required"] == ["flight_number"]
    assert schema["properties"]["flight_number"]["pattern"] == "^[A-Za-z]{2}[0-9]{3}$"
    assert schema["properties"]["flight_number"]["examples"] == ["SB245"]
