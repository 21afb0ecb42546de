"""Runs the sessions, their summaries and the triage agent: `python -m services.triage`."""

from services.triage.agent import triage
from services.triage.directory import Directory
from services.triage.introspection import Introspection
from services.triage.session import session_object
from services.triage.settings import SessionSettings
from services.triage.summaries import summaries_service
from services.triage.watch import watch
from switchboard.serve import agent_service, models_from_environment, serve
from switchboard.settings import load

if __name__ == "__main__":
    settings = load(SessionSettings)
    models = models_from_environment()
    directory = Directory(str(settings.restate_admin_url))
    session = session_object(directory, settings, first_agent=triage.name)
    introspection = Introspection(str(settings.restate_admin_url))
    agent, summaries = agent_service(triage, models), summaries_service(models)
    serve([session, summaries, agent], "triage", beside=lambda: watch(introspection))
