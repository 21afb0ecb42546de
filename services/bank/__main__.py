"""Serve the bank agent: `python -m services.bank`."""

from services.bank.agent import bank
from switchboard import serve

if __name__ == "__main__":
    serve(bank)
