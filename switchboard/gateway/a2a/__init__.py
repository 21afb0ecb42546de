"""The gateway as a server of the A2A protocol 1.0, for agents of others. Needs the extra `a2a`."""

from switchboard.telemetry.settings import no_spans_of_a2a

no_spans_of_a2a()
