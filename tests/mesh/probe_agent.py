"""An agent for tests, as a separate deployment: `python -m tests.mesh.probe_agent`."""

from switchboard import Agent, serve
from switchboard.builtin.identity.contract import VERIFY_IDENTITY
from tests.mesh.probe_contract import PROBE_TOOLS
from tests.mesh.probe_policies import cancel_policy, get_policy, policy_kinds, report_damage

probe = Agent(
    name="Probe",
    handles="Experiments of the laboratory.",
    instructions="You run experiments.",
    tools=(*PROBE_TOOLS, get_policy, report_damage, cancel_policy, policy_kinds, VERIFY_IDENTITY),
)

if __name__ == "__main__":
    serve(probe)
