"""An agent that comes late, named by the variable NEWCOMER: `python -m tests.mesh.newcomer`."""

import os

from switchboard import Agent
from switchboard.runtime.serve import serve_agent

if __name__ == "__main__":
    serve_agent(Agent(name=os.environ["NEWCOMER"], handles="What nobody did before.", instructions="You are new."))
