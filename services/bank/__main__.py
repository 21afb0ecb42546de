"""Runs the bank agent: `python -m services.bank`."""

from services.bank.agent import bank
from switchboard.runtime.serve import serve_agent

if __name__ == "__main__":
    serve_agent(bank)
