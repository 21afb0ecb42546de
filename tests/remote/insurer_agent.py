"""The insurer as an agent of the mesh: `python -m tests.remote.insurer_agent`. INSURER_URL is its address."""

import os

from switchboard import serve
from switchboard.remote import RemoteAgent

if __name__ == "__main__":
    serve(RemoteAgent(name="Insurer", handles="Travel insurance.", url=os.environ["INSURER_URL"]))
