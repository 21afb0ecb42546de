"""Secrets stand in no log, span or metric: ids of sessions before sign-in, keys, tokens and signatures."""

import pytest

from switchboard.session_ids import make_session_id
from switchboard.testing import calls, says, scene
from tests.attacks.mesh import ANYTHING, SCENES, VICTIM, Attacked
from tests.gateway.front import SECRET

TO_BANK = calls(("handoff_to_Bank", {"reason": "your account"}))
WRONG_FACTS = calls(("verify_identity", {"phone": "+1 555 0100", "email": "nobody@example.com"}))


async def metrics_of(attacked: Attacked) -> str:
    """Return the metrics of all processes."""
    mesh = attacked.laboratory.mesh
    found = [await attacked.gateway.metrics()]
    for name in mesh.names:
        async with attacked.laboratory.http.get(f"{mesh.addresses.service_url(name)}/metrics") as response:
            found.append(await response.text())
    return "".join(found)


@pytest.fixture
async def recorded(attacked: Attacked) -> tuple[str, str, str]:
    """Everything that a conversation before sign-in leaves: its id, its token, and all logs, metrics and spans."""
    guest = attacked.gateway.visitor(VICTIM, signed_in=False)
    stranger = attacked.gateway.visitor("bob", session=guest.session)
    broken = {"fault": {"kind": "http_400"}, "then": says("too late")}
    await attacked.laboratory.model.plays(
        scene("verify me", TO_BANK, WRONG_FACTS, says("no")), scene("fail", broken), ANYTHING
    )
    for text in ("hello", "verify me", "fail"):
        assert (await guest.says(text)).status == 200
    for path in ("transcript", "status"):
        assert (await guest.gets(path)).status == 200
        assert (await stranger.gets(path)).status == 403
    assert (await guest.posts("confirm", held_id="x")).status == 409
    assert (await guest.posts("interrupt")).status == 200
    assert (
        await attacked.gateway.visitor(VICTIM, session=make_session_id(VICTIM, None), signed_in=False).says("a")
    ).status == 403
    public = guest.session.partition(".")[0].encode()
    await attacked.laboratory.until(lambda: any(public in export for export in attacked.spans))
    await attacked.laboratory.model.plays(*SCENES)
    logs = [attacked.laboratory.mesh.log("x").parent, attacked.gateway.process.log.parent]
    written = "".join(file.read_text(errors="replace") for folder in logs for file in folder.glob("*.log"))
    spans = b"".join(attacked.spans).decode("latin-1")
    return guest.session, guest.token, written + await metrics_of(attacked) + spans


async def test_id_of_a_session_before_sign_in_is_recorded_without_its_secret(recorded: tuple[str, str, str]) -> None:
    session, _, everything = recorded
    public, secret, tag = session.split(".")
    assert everything.count(public) > 5
    assert secret not in everything
    assert tag not in everything


async def test_keys_and_tokens_are_recorded_nowhere(attacked: Attacked, recorded: tuple[str, str, str]) -> None:
    _, token, everything = recorded
    (speaker_key,) = attacked.laboratory.mesh.speaker_environment.values()
    signature = token.rpartition(".")[2]
    assert [secret for secret in (speaker_key, token, signature, SECRET) if secret in everything] == []
    # A signature of the gateway starts with the same header each time.
    assert attacked.speaker.sign("x", b"")["x-switchboard-speaker"].partition(".")[0] not in everything
