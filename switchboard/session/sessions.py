"""The customers' sessions as a component that `serve` runs."""

from functools import partial

from switchboard.agent import Agent
from switchboard.runtime.serve import Models, Served
from switchboard.runtime.settings import SpeakerSettings, load
from switchboard.session.agent_list import agent_list
from switchboard.session.customers import customer_usage
from switchboard.session.directory import Directory
from switchboard.session.inspection import Inspector
from switchboard.session.introspection import Introspection
from switchboard.session.push import task_push
from switchboard.session.restate_metrics import report_metrics
from switchboard.session.session import session_object
from switchboard.session.session_list import SessionList
from switchboard.session.settings import PushSettings, SessionSettings
from switchboard.session.staff_door import staff_door
from switchboard.session.staff_registry import StaffRegistry
from switchboard.session.summaries import summaries_service


class Sessions:
    """The Session object, customers' accounts, summaries, the staff door, and the metrics from Restate's tables.

    Serve them in exactly one service of a mesh. `first_agent` answers every new customer. Another service may serve it,
    because sessions find all agents in Restate's registry.
    """

    def __init__(self, first_agent: Agent) -> None:
        self.first_agent = first_agent

    def served(self, models: Models) -> Served:
        """Build the services from the environment's settings."""
        settings, speaker = load(SessionSettings), load(SpeakerSettings).speaker()
        admin_url = settings.restate_admin_url
        directory = Directory(admin_url)
        session = session_object(directory, settings, self.first_agent.name, speaker)
        services = (
            session,
            customer_usage(settings),
            summaries_service(models()),
            staff_door(
                StaffRegistry(admin_url),
                SessionList(Introspection(admin_url), settings.currency),
                Inspector(Introspection(admin_url), settings),
                speaker,
            ),
            agent_list(directory, speaker),
            *task_push(load(PushSettings), speaker),
        )
        return Served(services, background=(partial(report_metrics, Introspection(admin_url)),), live=True)
