"""What a local Restate server is started with."""

from pathlib import Path

from switchboard.gateway.settings import GatewaySettings
from switchboard.local.restate_server import Ports, server_process
from switchboard.local.sockets import sockets_of
from tests.parts import need_restate_server

PLACES_OF_A_MESSAGE = 3
"""Invocations of one message that wait at the same time: the session, its agent, and a tool that calls another one."""


def test_messages_that_a_gateway_accepts_leave_places_for_their_agents(tmp_path: Path) -> None:
    need_restate_server()
    process = server_process(Ports(), sockets_of(tmp_path), tmp_path, tmp_path / "log", {})
    places = int(process.environment["RESTATE_WORKER__INVOKER__CONCURRENT_INVOCATIONS_LIMIT"])
    assert places >= PLACES_OF_A_MESSAGE * GatewaySettings.model_fields["requests_max"].default
