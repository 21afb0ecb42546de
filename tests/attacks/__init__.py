"""Attacks on a real mesh, each with the status and the effect that it must have."""
