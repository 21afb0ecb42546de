"""What authors of tools need: declarations, durable calls, sagas, policies, the clock."""
