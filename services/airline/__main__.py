"""Run the airline agent: `python -m services.airline`."""

from services.airline.agent import airline
from switchboard import serve

if __name__ == "__main__":
    serve(airline)
