"""The words that an author of agents and tools needs. Everything else in this package is the loop's own business."""

from switchboard.agent import Agent
from switchboard.contract import FromIdentity, NoInput, Tool, ToolInput

__all__ = ["Agent", "FromIdentity", "NoInput", "Tool", "ToolInput"]
