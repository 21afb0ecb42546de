"""Who the CLI is at the staff's API: the token from the environment, or one for the local mesh."""

import os
from dataclasses import dataclass
from pathlib import Path

from switchboard.local.gateway import local_staff_token
from switchboard.local.problem import InvalidCommand
from switchboard.staff_api import StaffApi

TOKEN = "SWITCHBOARD_STAFF_TOKEN"
"""Variable with a staff member's token. Not an option: other users of a machine can read command lines."""

LOCAL_STAFF = "staff"
"""Subject of the token for a local mesh, unless `--by` gives another one."""

BY_COMES_FROM_THE_TOKEN = f"Your token in {TOKEN} says who you are. Leave out --by, or unset {TOKEN}."


@dataclass(frozen=True)
class StaffDesk:
    """The gateway of a mesh, and who works there. `by` is for a local mesh only."""

    gateway_url: str
    folder: Path
    by: str | None = None

    def api(self) -> StaffApi:
        """Return the staff's API. Raises InvalidCommand, and Problem if there is neither a token nor a local mesh."""
        given = os.environ.get(TOKEN, "")
        if given and self.by:
            raise InvalidCommand(BY_COMES_FROM_THE_TOKEN)
        return StaffApi(self.gateway_url, given or local_staff_token(self.folder, self.by or LOCAL_STAFF))
