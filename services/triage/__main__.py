"""Runs the sessions, their summaries and the triage agent: `python -m services.triage`."""

from services.triage.agent import triage
from switchboard.runtime.serve import agent_service, models_from_environment, serve
from switchboard.runtime.settings import load
from switchboard.session.directory import Directory
from switchboard.session.introspection import Introspection
from switchboard.session.restate_metrics import watch
from switchboard.session.session import session_object
from switchboard.session.settings import SessionSettings
from switchboard.session.summaries import summaries_service

if __name__ == "__main__":
    settings = load(SessionSettings)
    models = models_from_environment()
    directory = Directory(str(settings.restate_admin_url))
    session = session_object(directory, settings, first_agent=triage.name)
    introspection = Introspection(str(settings.restate_admin_url))
    agent, summaries = agent_service(triage, models), summaries_service(models)
    serve([session, summaries, agent], "triage", beside=lambda: watch(introspection))
