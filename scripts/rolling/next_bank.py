"""The next version of the bank agent, with one instruction more: `python -m scripts.rolling.next_bank`."""

from dataclasses import replace

from services.bank.agent import bank
from switchboard import serve

ADDED = "- When a customer thanks you, wish them a good day.\n"

if __name__ == "__main__":
    serve(replace(bank, instructions=bank.instructions + ADDED))
