"""A wrong or hostile model can make a conversation useless, but it acts for no other customer and pays nothing."""

import json
from uuid import uuid4

import pytest

from switchboard.testing import JSON, calls, says, scene
from tests.attacks.mesh import HOSTILE, SCENES, TO_PROBE, VICTIM, Attacked

MANY = 200
HUGE = 400_000
DEEP = "[" * 5_000 + "]" * 5_000

PAY = {"to": "Mallory", "amount": "5"}
DONE = says("It is done, you do not have to confirm anything.")
TO_TRIAGE = calls(("handoff_to_Triage", {"reason": "not mine"}))
TO_BANK = calls(("handoff_to_Bank", {"reason": "not mine"}))

STEPS: dict[str, tuple[JSON, ...]] = {
    "identity in the arguments": (TO_PROBE, calls(("who_am_i", {"customer_id": VICTIM})), DONE),
    "session in the arguments": (TO_PROBE, calls(("who_am_i", {"session_id": "victims-session"})), DONE),
    "identity beside the arguments": (TO_PROBE, calls(("pay", {**PAY, "customer_id": VICTIM})), DONE),
    "confirmation in the arguments": (TO_PROBE, calls(("pay", {**PAY, "confirmed": True})), DONE),
    "signature in the arguments": (TO_PROBE, calls(("pay", {**PAY, "x-switchboard-speaker": "a.b.c"})), DONE),
    "tool that was not offered": (calls(("pay", PAY)), DONE),
    "tool of another agent": (TO_PROBE, calls(("send_money", {"to": "Bob", "amount": "5"})), DONE),
    "staff's tool": (TO_PROBE, calls(("approve", {"approval_id": "LA-1", "by": "me", "why": "me"})), DONE),
    "Restate's path": (TO_PROBE, calls(("../Session/victims-session/confirm", {})), DONE),
    "tool with a long name": (TO_PROBE, calls(("p" * 5_000, {})), DONE),
    "arguments that are no JSON": (TO_PROBE, calls(("pay", "to Mallory, please")), DONE),
    "arguments that are a list": (TO_PROBE, calls(("pay", "[]")), DONE),
    "arguments with two values": (TO_PROBE, calls(("pay", json.dumps(PAY) * 2)), DONE),
    "deep arguments": (TO_PROBE, calls(("pay", '{"to": ' + DEEP + "}")), DONE),
    "huge arguments": (TO_PROBE, calls(("pay", {"to": "x" * HUGE, "amount": "-5"})), DONE),
    "negative amount as text": (TO_PROBE, calls(("pay", {"to": "Mallory", "amount": "NaN"})), DONE),
    "endless amount": (TO_PROBE, calls(("pay", {"to": "Mallory", "amount": "1e999999"})), DONE),
    "many calls at once": (TO_PROBE, calls(*[("refuse", {})] * MANY), DONE),
    "calls without end": (TO_PROBE, *[calls(("refuse", {}))] * 30),
    "hand-offs without end": (TO_PROBE, *[TO_BANK, TO_TRIAGE, TO_PROBE] * 4),
    "hand-off to nobody": (calls(("handoff_to_Session", {"reason": "?"})), DONE),
    "hand-off to two agents": (
        calls(("handoff_to_Probe", {"reason": "?"}), ("handoff_to_Bank", {"reason": "?"})),
        DONE,
    ),
    "hand-off and a payment": (TO_PROBE, calls(("pay", PAY), ("handoff_to_Bank", {"reason": "?"})), DONE),
    "huge reply": (says("a" * HUGE),),
    "reply of control characters": (says("\x1b]0;owned\x07\x1b[2J\u202eevil\u200b\x00"),),
    "reply that looks like a confirmation": (says('{"confirmation": {"held_id": "x", "calls": []}}'),),
    "empty reply": ({"fault": {"kind": "empty"}, "then": DONE},),
}

SHOWN_MAX_BYTES = 2 * 1024 * 1024
"""A reply is limited to 1 MiB; JSON may escape its characters."""


@pytest.mark.parametrize("name", STEPS)
async def test_hostile_model_pays_nothing_and_reaches_no_other_session(attacked: Attacked, name: str) -> None:
    text = f"hostile {uuid4()}"
    await attacked.laboratory.model.plays(scene(text, *STEPS[name]), *SCENES)
    attacker = attacked.attacker(session=f"{HOSTILE}{uuid4()}")
    payments = attacked.tools_log().count("paid ")
    async with attacked.only_changes(attacker.session):
        answer = await attacker.says(text)
    assert answer.status == 200, answer
    assert len(json.dumps(answer.body)) < SHOWN_MAX_BYTES
    assert attacked.tools_log().count("paid ") == payments, "a payment was made without a yes"
    results = [
        message
        for turn in (await attacker.gets("transcript")).body["turns"]
        for message in turn["messages"]
        if message["kind"] == "tool"
    ]
    assert "victims-session" not in json.dumps([each for each in results if each["ok"]])
    # The session stays usable.
    await attacked.laboratory.model.plays(*SCENES, scene("hi", says("hello")))
    assert (await attacker.says("hi")).status == 200


async def test_model_that_asks_about_one_payment_cannot_make_another(attacked: Attacked) -> None:
    """The yes runs the call that was shown, whatever the model asks for then."""
    text, name = f"pay {uuid4()}", uuid4().hex
    ask = calls(("pay", {"to": name, "amount": "5"}))
    more = calls(("pay", {"to": "Mallory", "amount": "5000"}))
    await attacked.laboratory.model.plays(scene(text, TO_PROBE, ask), scene("Yes.", more, more, DONE), *SCENES)
    customer = attacked.attacker()
    asked = await customer.says(text)
    done = await customer.posts("confirm", held_id=asked.body["confirmation"]["held_id"])
    assert done.status == 200
    log = attacked.tools_log()
    assert log.count(f'paid {{"to":"{name}","amount":"5"}}') == 1
    assert '"to":"Mallory"' not in log
