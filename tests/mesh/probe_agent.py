"""A small third agent for tests, as a deployment of its own: `python -m tests.mesh.probe_agent`."""

from switchboard import Agent, serve
from tests.mesh.probe_contract import PROBE_TOOLS

probe = Agent(
    name="Probe",
    handles="Experiments of the laboratory.",
    instructions="You run experiments.",
    tools=PROBE_TOOLS,
)

if __name__ == "__main__":
    serve(probe)
