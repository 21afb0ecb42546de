"""Errors of commands. Each has a one-line message that says what to do, and an exit code.

The client's errors are in `switchboard.client`. A rejected request (`Refused`) also exits with code 2.

Problem              1
└─ InvalidCommand    2   the command line or mesh.toml is invalid
"""


class Problem(Exception):
    """A command failed. The message tells the user why and what to do."""

    exit_code = 1


class InvalidCommand(Problem):
    """The command line or mesh.toml is invalid."""

    exit_code = 2
