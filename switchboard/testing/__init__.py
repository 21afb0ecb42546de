"""Helpers for testing agents and tools on a real mesh. The pytest plugin is `switchboard.testing.plugin`."""

from switchboard.testing.customer import JSON, Answer, Customer
from switchboard.testing.laboratory import Laboratory, open_laboratory
from switchboard.testing.scripted_model import ScriptedModel, calls, says, scene
from switchboard.testing.staff import Staff

__all__ = [
    "JSON",
    "Answer",
    "Customer",
    "Laboratory",
    "ScriptedModel",
    "Staff",
    "calls",
    "open_laboratory",
    "says",
    "scene",
]
