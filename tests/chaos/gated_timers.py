"""What is put off, with a gate before and after each handler, served apart: `python -m tests.chaos.gated_timers`."""

from services.tools.reminders.handlers import reminders_object
from services.tools.settings import ToolsSettings
from services.tools.standing_orders.handlers import standing_orders_object
from services.tools.transfers.scheduled import scheduled_transfers_object
from switchboard.serve import serve
from switchboard.settings import load
from tests.chaos.gated_tools import add_gates

if __name__ == "__main__":
    ahead = load(ToolsSettings).timer_ahead_min
    timers = [reminders_object(ahead), scheduled_transfers_object(ahead), standing_orders_object(ahead)]
    for gated in timers:
        add_gates(gated)
    serve(timers, "gated_timers")
