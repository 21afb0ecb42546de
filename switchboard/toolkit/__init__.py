"""Toolkit for authors of tools: declarations, durable calls, sagas, policies, timers and the clock."""
