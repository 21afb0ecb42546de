"""An agent that comes late, named by the variable NEWCOMER: `python -m tests.mesh.newcomer`."""

import os

from switchboard import Agent, serve

if __name__ == "__main__":
    serve(Agent(name=os.environ["NEWCOMER"], handles="What nobody did before.", instructions="You are new."))
