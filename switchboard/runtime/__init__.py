"""Serves declared services as a process that Restate can call."""
