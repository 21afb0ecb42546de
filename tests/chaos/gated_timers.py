"""Timers with a gate before and after each handler, in a separate process: `python -m tests.chaos.gated_timers`."""

from services.tools.bank.data.demo import DemoBank
from services.tools.bank.standing_orders.handlers import standing_orders_object
from services.tools.bank.transfers.scheduled_transfers import scheduled_transfers_object
from switchboard import serve
from switchboard.builtin.reminders.handlers import reminders_object
from switchboard.runtime.settings import load
from switchboard.toolkit.settings import ToolsSettings
from tests.chaos.gated_tools import add_gates

if __name__ == "__main__":
    ahead = load(ToolsSettings).timer_ahead_min
    timers = [
        reminders_object(ahead),
        scheduled_transfers_object(DemoBank.read(), ahead),
        standing_orders_object(ahead),
    ]
    for gated in timers:
        add_gates(gated)
    serve(*timers, name="gated_timers")
