"""Runs the airline agent: `python -m services.airline`."""

from services.airline.agent import airline
from switchboard.runtime.serve import serve_agent

if __name__ == "__main__":
    serve_agent(airline)
