"""Conversations and calls with a known right end, played on a real mesh."""
