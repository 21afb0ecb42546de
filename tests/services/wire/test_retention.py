"""Handlers that clients poll leave no invocation in Restate."""

from tests.services.wire.discovery import discovered, modules

POLLED = {
    ("Session", "status"),
    ("Session", "task"),
    ("Session", "transcript"),
    ("Session", "expire"),
    ("Session", "events"),
    ("Session", "staff_events"),
    ("Session", "record_rating"),
    ("Session", "staff_silence"),
    ("Session", "staff_status"),
    ("Session", "staff_transcript"),
    ("AgentList", "cards"),
    # They contain secrets of A2A clients.
    ("TaskPush", "set"),
    ("TaskPush", "list"),
    ("TaskPush", "delete"),
    ("TaskPush", "forget"),
    ("TaskPush", "changed"),
    ("TaskPushSender", "send"),
    ("StaffDoor", "read"),
    ("StaffDoor", "events"),
    ("StaffDoor", "services"),
    ("StaffDoor", "sessions"),
    ("StaffDoor", "status"),
    ("StaffDoor", "transcript"),
    ("StaffDoor", "turn"),
    ("Approvals", "list"),
    ("ApprovalInbox", "list_waiting"),
    ("Cases", "list"),
    ("Cases", "read"),
    ("CaseInbox", "list_cases"),
    ("CaseInbox", "read_case"),
    ("Outbox", "list_emails"),
}


def test_handlers_that_clients_poll_are_not_retained() -> None:
    services = {service["name"]: service for module in modules() for service in discovered(module)["services"]}
    unretained = {
        (name, handler["name"])
        for name, service in services.items()
        for handler in service["handlers"]
        if all(handler.get(kind, service.get(kind)) == 0 for kind in ("journalRetention", "idempotencyRetention"))
    }
    assert unretained - {("CustomerUsage", "grant"), ("CustomerUsage", "settle")} == POLLED
