"""Conversations of our own with what has to come of them, for any model: `python -m evals.cases`."""
