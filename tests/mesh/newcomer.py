"""An agent that is registered at run time. NEWCOMER is its name: `python -m tests.mesh.newcomer`."""

import os

from switchboard import Agent, serve

if __name__ == "__main__":
    serve(Agent(name=os.environ["NEWCOMER"], handles="A new kind of request.", instructions="You are new."))
