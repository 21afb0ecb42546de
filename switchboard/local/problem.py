"""Errors of commands. Each is one sentence that says what to do, and has an exit code.

The client's own errors are in `switchboard.client`; a rejected request (`Refused`) also exits with 2.

Problem              1
└─ InvalidCommand    2   the command line, or mesh.toml, is wrong
"""


class Problem(Exception):
    """The message is one sentence for the person at the terminal, with what to do."""

    exit_code = 1


class InvalidCommand(Problem):
    """The command cannot be carried out as it was given."""

    exit_code = 2
