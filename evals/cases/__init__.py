"""Our own test conversations with expected outcomes, for any model: `python -m evals.cases`."""
