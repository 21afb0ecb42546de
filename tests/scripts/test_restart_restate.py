"""A restart of the only Restate node delays messages, and no message fails."""

from pathlib import Path

import pytest

from scripts.restart_restate import play
from tests.parts import need_restate_server


@pytest.mark.slow
async def test_no_message_fails_when_restate_restarts(tmp_path: Path) -> None:
    need_restate_server()
    log: list[str] = []
    load = await play(tmp_path, customers=2, away=1, load_seconds=2, log=log.append)
    assert load.failures == []
    assert len(load.answered) > 4
    assert [line.partition(":")[0] for line in log] == [
        "SIGTERM",
        "SIGKILL",
        f"{len(load.answered)} messages answered, 0 failed",
    ]
    assert not [line for line in log if "never" in line]
