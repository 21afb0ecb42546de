"""Serve the customer sessions, their summaries and the triage agent: `python -m services.triage`."""

from services.triage.agent import triage
from switchboard import Sessions, serve

if __name__ == "__main__":
    serve(Sessions(first_agent=triage), triage)
