"""The customers' sessions as a part of a process: for `serve`."""

from functools import partial

from switchboard.agent import Agent
from switchboard.runtime.serve import Models, Served
from switchboard.runtime.settings import load
from switchboard.session.directory import Directory
from switchboard.session.introspection import Introspection
from switchboard.session.restate_metrics import watch
from switchboard.session.session import session_object
from switchboard.session.settings import SessionSettings
from switchboard.session.summaries import summaries_service


class Sessions:
    """The Session object, the service that makes its summaries, and the metrics that only Restate's tables know.

    A mesh has them in exactly one of its services. `first_agent` answers every new customer; it may be served
    elsewhere, for sessions find all agents in Restate's registry.
    """

    def __init__(self, first_agent: Agent) -> None:
        self.first_agent = first_agent

    def served(self, models: Models) -> Served:
        """Build the services, as the environment says."""
        settings = load(SessionSettings)
        admin_url = str(settings.restate_admin_url)
        session = session_object(Directory(admin_url), settings, first_agent=self.first_agent.name)
        return Served((session, summaries_service(models())), beside=(partial(watch, Introspection(admin_url)),))
