"""The next version of the bank agent, with one more instruction: `python -m scripts.rolling.next_bank`."""

from dataclasses import replace

from services.bank.agent import bank
from switchboard import serve

ADDED_INSTRUCTION = "- When a customer thanks you, wish them a good day.\n"

if __name__ == "__main__":
    serve(replace(bank, instructions=bank.instructions + ADDED_INSTRUCTION))
