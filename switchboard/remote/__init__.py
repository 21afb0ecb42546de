"""Agents of others as agents of a mesh, over the A2A protocol 1.0. Needs the extra `a2a`."""

from switchboard.remote.agent import RemoteAgent
from switchboard.telemetry.settings import no_spans_of_a2a

no_spans_of_a2a()

__all__ = ["RemoteAgent"]
