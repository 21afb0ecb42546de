"""Agents of others as agents of a mesh, over the A2A protocol 1.0. Needs the extra `a2a`."""

from switchboard.remote.agent import RemoteAgent

__all__ = ["RemoteAgent"]
