"""Sessions and the agent of the test mesh: `python -m tests.mcp.front`."""

from switchboard import Sessions, serve
from tests.mcp.declarations import desk

if __name__ == "__main__":
    serve(Sessions(first_agent=desk), desk)
