"""Runs a whole mesh on one machine."""
