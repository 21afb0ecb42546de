"""Who counts as an agent in Restate's registry."""

import json

from services.triage.directory import read_cards
from switchboard.messages import Card


def test_a_service_with_the_role_and_the_handler_is_an_agent() -> None:
    take_turn = [{"name": "take_turn", "ty": None}]
    services = [
        {"name": "Weather", "metadata": {"switchboard.role": "agent"}, "documentation": "Rain.", "handlers": take_turn},
        {"name": "Bank", "metadata": {"switchboard.role": "agent"}, "handlers": take_turn, "revision": 3},
        {"name": "Accounts", "metadata": {"switchboard.role": "tools"}, "handlers": take_turn},
        {"name": "My.Agent-2", "metadata": {"switchboard.role": "agent"}, "handlers": take_turn},
        {"name": "Half", "metadata": {"switchboard.role": "agent"}, "handlers": [{"name": "greet"}]},
        {"name": "Session", "metadata": {}, "handlers": [{"name": "send"}]},
    ]
    assert read_cards(json.dumps({"services": services}).encode()) == (
        Card(name="Bank", handles="Bank"),
        Card(name="Weather", handles="Rain."),
    )
