"""Runs the sessions and the triage agent: `python -m services.triage`."""

from services.triage.agent import triage
from services.triage.directory import Directory
from services.triage.session import session_object
from switchboard.serve import agent_service, models_from_environment, serve
from switchboard.settings import DirectorySettings, load

if __name__ == "__main__":
    directory = Directory(str(load(DirectorySettings).restate_admin_url))
    serve([session_object(directory, first_agent=triage.name), agent_service(triage, models_from_environment())])
