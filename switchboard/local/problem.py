"""Why a command could not do its work: every such error is a sentence that says what to do, and an exit code.

Problem            1
├─ MeshAway        1   nobody answers, or it is not a mesh
├─ TurnLost        1   the mesh took the message and could not finish it
└─ Refused         2   the session, or the command line itself, did not take the request
"""


class Problem(Exception):
    """The message is one sentence for the person at the terminal, with what to do."""

    exit_code = 1


class MeshAway(Problem):
    """No mesh answers at the address."""


class TurnLost(Problem):
    """The mesh took the message and could not finish it."""


class Refused(Problem):
    """The request was not taken, and asking again will not help."""

    exit_code = 2

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status
        """The HTTP status of the session's refusal; 0 when it was not asked at all."""
