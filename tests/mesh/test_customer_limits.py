"""Limits of a customer over all sessions, on one mesh whose sessions are restarted with the limits of each test."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from switchboard.loop.turn import DAY_USED_UP, TOMORROW, TURN_TOKENS_USED_UP
from switchboard.session.contract import LIMIT_REFUSALS, SESSION_EXPIRED
from switchboard.session.conversation import OVER_BUDGET
from switchboard.session.staffed import STAFF_SILENT, STAFF_WILL_ANSWER
from switchboard.testing import Answer, Customer, calls, says, scene
from tests.gateway.front import open_gateway
from tests.laboratory import LONG_MS, SOON, Laboratory, open_laboratory
from tests.midnight import within_one_day
from tests.parts import at_night

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))
TOKENS_OF_TURN = 4_000

DAY, SESSIONS = LIMIT_REFUSALS["day"], LIMIT_REFUSALS["sessions"]
IN_PROGRESS = LIMIT_REFUSALS["turns"].format(seconds=5)


@pytest.fixture(scope="module")
async def limited(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Laboratory]:
    async with open_laboratory(tmp_path_factory.mktemp("limited"), environment=SOON) as laboratory:
        yield laboratory


async def restart_sessions(laboratory: Laboratory, **limits: str) -> None:
    """Restart the service of the sessions with these limits; the others are high."""
    await within_one_day()
    triage = laboratory.mesh.services["triage"]
    own = {f"SWITCHBOARD_{name}": value for name, value in limits.items()}
    triage.environment = {**laboratory.mesh.service("triage", triage.port).environment, **own}
    await triage.stop()
    await triage.start()


async def account(laboratory: Laboratory, customer: str) -> dict[str, object]:
    """Return the customer's account."""
    sql = f"SELECT value_utf8 FROM state WHERE service_name = 'CustomerUsage' AND service_key = 'signed-in/{customer}'"
    (row,) = await laboratory.query(sql)
    found: dict[str, object] = json.loads(row["value_utf8"])
    return found


async def settled(laboratory: Laboratory, customer: str) -> dict[str, object]:
    """Return the customer's account when all turns have reported what they used."""

    async def all_reported() -> bool:
        return not (await account(laboratory, customer))["reserved"]

    await laboratory.until(all_reported)
    return await account(laboratory, customer)


def outcomes(answers: list[Answer]) -> Counter[tuple[int, str]]:
    return Counter((answer.status, answer.text) for answer in answers)


@pytest.mark.parametrize(("sessions", "tokens_of_day"), [(100, 24_000), *at_night((300, 40_000))])
async def test_sessions_side_by_side_share_the_tokens_of_one_day(
    limited: Laboratory, sessions: int, tokens_of_day: int
) -> None:
    customer = f"anna-{sessions}"
    await restart_sessions(limited, CUSTOMER_TOKENS_PER_DAY=str(tokens_of_day), TURN_TOKENS_MAX=str(TOKENS_OF_TURN))
    await limited.model.plays(scene("hello", says("hi")))
    all_sessions = [limited.customer(customer) for _ in range(sessions)]
    first = outcomes(await asyncio.gather(*(each.says("hello") for each in all_sessions)))
    assert first.keys() <= {(200, "hi"), (429, IN_PROGRESS), (429, DAY)}
    assert first[(200, "hi")] >= tokens_of_day // TOKENS_OF_TURN
    for each in all_sessions:  # One after another, they use what is left.
        answer = await each.says("hello")
        if answer.text == DAY:
            break
    used = await settled(limited, customer)
    asked = [request for each in all_sessions for request in await limited.model.requests(each.session)]
    statuses = await asyncio.gather(*(each.asks("status") for each in all_sessions))
    spent = [agent["usage"] for status in statuses for agent in status.body.get("spending", ())]
    assert answer.status == 429
    assert tokens_of_day <= int(str(used["tokens"])) < tokens_of_day + TOKENS_OF_TURN
    assert sum(usage["input_tokens"] + usage["output_tokens"] for usage in spent) == used["tokens"]
    assert len(asked) < sessions
    assert (await limited.customer("bob").says("hello")).text == "hi"
    assert (await limited.customer(customer, signed_in=False).says("hello")).text == "hi"


async def test_customer_is_told_when_tokens_run_out_in_the_middle_of_a_turn(limited: Laboratory) -> None:
    await limited.model.plays(scene("go", TO_PROBE, calls(("who_am_i", {})), says("never")))
    await restart_sessions(limited, CUSTOMER_TOKENS_PER_DAY="100")
    stopped = await limited.customer("carol").says("go")
    assert (stopped.status, stopped.body["failed"]) == (200, True)
    assert stopped.text.startswith(DAY_USED_UP)
    assert stopped.text.endswith(TOMORROW)
    assert outcomes([await limited.customer("carol").says("go")]) == {(429, DAY): 1}

    await restart_sessions(limited, TURN_TOKENS_MAX="100")
    stopped = await limited.customer("carol").says("go")
    assert stopped.text.startswith(TURN_TOKENS_USED_UP)


async def test_confirmed_call_is_made_although_the_day_is_used_up(limited: Laboratory) -> None:
    name = str(uuid4())
    await limited.model.plays(
        scene("pay", TO_PROBE, calls(("pay", {"to": name, "amount": "1"}))), scene("yes", says("paid"))
    )
    await restart_sessions(limited, CUSTOMER_TOKENS_PER_DAY="100")
    customer = limited.customer("dora")
    question = await customer.says("pay")
    assert name in question.text
    await settled(limited, "dora")
    assert (await customer.says("and now?")).text == DAY
    assert (await customer.says("yes")).status == 200
    assert limited.probed(f'paid {{"to":"{name}","amount":"1"}}') == 1


async def test_money_of_a_day_is_counted_by_the_prices(limited: Laboratory) -> None:
    await limited.model.plays(scene("hello", says("hi")))
    prices = json.dumps({"demo": {"input": "1000.00", "output": "1000.00"}})
    await restart_sessions(limited, CUSTOMER_COST_PER_DAY="1.50", PRICES=prices, SESSION_BUDGET="1000")
    customer = limited.customer("emil")
    answers: list[Answer] = []
    while not answers or answers[-1].status == 200:
        answers.append(await customer.says("hello"))
        used = await settled(limited, "emil")
    status = (await customer.asks("status")).body
    assert answers[-1].text == DAY
    assert float(str(used["cost"])) == pytest.approx(float(status["cost"]))
    assert float(status["cost"]) >= 1.5


async def test_messages_of_a_minute_and_new_sessions_of_a_day_are_limited(limited: Laboratory) -> None:
    await limited.model.plays(scene("hello", says("hi")))
    await restart_sessions(limited, CUSTOMER_TURNS_PER_MINUTE="3", CUSTOMER_SESSIONS_PER_DAY="2")
    customers = [limited.customer("frida") for _ in range(3)]
    assert [(await each.says("hello")).text for each in customers] == ["hi", "hi", SESSIONS]
    answers = [await customers[0].says("hello")]
    # A third of a minute after each message there is room for another one.
    while answers[-1].status == 200:
        assert len(answers) < 20
        answers.append(await customers[0].says("hello"))
    assert answers[0].text == "hi"
    refused = answers[-1]
    assert refused.status == 429
    assert refused.text.startswith("You have sent too many messages in a short time. Please try again in ")
    assert (await customers[0].asks("status")).body["turns_total"] == len(answers)
    assert (await limited.customer("gus").says("hello")).text == "hi"


async def test_turns_at_once_are_limited_and_the_gateway_retries_the_same_key(
    limited: Laboratory, tmp_path: Path
) -> None:
    name = str(uuid4())
    slow = scene("go", TO_PROBE, calls(("wait", {"name": name, "milliseconds": LONG_MS})), says("done"))
    await limited.model.plays(slow, scene("hello", says("hi")))
    await restart_sessions(limited, CUSTOMER_TURNS_MAX="1")
    async with open_gateway(limited, tmp_path) as gateway:
        first, second = gateway.visitor("hans"), gateway.visitor("hans")
        running = asyncio.create_task(first.says("go"))
        await limited.until(lambda: limited.probed(f"start {name}"))
        refused = await second.says("hello", "a-key")
        assert (refused.status, refused.body["code"], refused.text) == (429, "customer_limit", IN_PROGRESS)
        assert refused.headers["retry-after"] == "5"
        assert (await gateway.visitor("ida").says("hello")).text == "hi"
        await first.posts("interrupt")
        assert (await running).body["interrupted"]
        await settled(limited, "hans")
        assert (await second.says("hello", "a-key")).text == "hi"
        assert (await second.says("hello", "a-key")).body["turn"] == 1


async def test_message_that_an_operator_cancels_is_charged_and_frees_its_place(limited: Laboratory) -> None:
    name = str(uuid4())
    slow = scene("go", TO_PROBE, calls(("wait", {"name": name, "milliseconds": LONG_MS})), says("done"))
    await limited.model.plays(scene("hello", says("hi")), slow)
    await restart_sessions(limited, CUSTOMER_TURNS_MAX="1")
    customer = limited.customer("jana")
    await customer.says("hello")
    before = await settled(limited, "jana")
    running = asyncio.create_task(customer.says("go"))
    await limited.until(lambda: limited.probed(f"start {name}"))
    (sent,) = [row for row in await limited.invocations(customer.session, "send") if row["status"] != "completed"]
    async with limited.http.patch(f"{limited.mesh.addresses.admin_url}/invocations/{sent['id']}/cancel") as response:
        assert response.status < 300
    assert (await running).status == 409
    after = await settled(limited, "jana")
    assert int(str(after["tokens"])) > int(str(before["tokens"]))
    assert (await customer.says("hello")).text == "hi"


async def scheduled(laboratory: Laboratory, customer: Customer) -> int:
    """Return how many timers the session has."""
    sql = f"SELECT id FROM sys_invocation WHERE target = 'Session/{customer.session}/expire' AND status = 'scheduled'"
    return len(await laboratory.query(sql))


async def test_idle_session_expires_and_a_record_stays(limited: Laboratory, tmp_path: Path) -> None:
    await limited.model.plays(scene("hello", says("hi")))
    await restart_sessions(limited, SESSION_IDLE_MAX="PT0S")
    forever = limited.customer("karl")
    assert (await forever.says("hello")).text == "hi"
    assert await scheduled(limited, forever) == 0
    await restart_sessions(limited)
    customer = limited.customer("karl")
    for _ in range(3):
        assert (await customer.says("hello")).text == "hi"

    async def one_timer() -> bool:
        return await scheduled(limited, customer) == 1

    await limited.until(one_timer)

    await restart_sessions(limited, SESSION_IDLE_MAX="PT1S")
    customer, notified = limited.customer("carol"), limited.customer("carol")
    for each in (customer, notified):
        await each.says("hello")

    async def both_expired() -> bool:
        return [(await each.asks("status")).status for each in (customer, notified)] == [410, 410]

    await limited.until(both_expired)
    for answer in (await customer.says("hello"), await customer.asks("transcript"), await customer.asks("interrupt")):
        assert (answer.status, answer.text) == (410, SESSION_EXPIRED)
    stranger = limited.customer("mallory", session=customer.session)
    assert (await stranger.says("hello")).status == 403
    async with open_gateway(limited, tmp_path) as gateway:
        refused = await gateway.visitor("carol", session=customer.session).says("hello")
        assert (refused.status, refused.body["code"]) == (410, "session_expired")
    sql = f"SELECT key, value_utf8 FROM state WHERE service_name = 'Session' AND service_key = '{customer.session}'"
    (record,) = await limited.query(sql)
    kept = json.loads(record["value_utf8"])
    assert (record["key"], kept["customer_id"], kept["turns_total"], kept["window"]) == ("head", "carol", 1, [])
    assert kept["expired_at"] > kept["last_at"]

    # A notice begins the session anew. It would expire again at once.
    await restart_sessions(limited)
    tell = calls(("notify", {"to_session": notified.session, "text": "call the landlord"}))
    await limited.model.plays(scene("hello", says("hi")), scene("tell", TO_PROBE, tell, says("told")))
    assert (await limited.customer("carol").says("tell")).text == "told"

    async def notice_arrived() -> bool:
        return "call the landlord" in str((await notified.asks("transcript")).body)

    await limited.until(notice_arrived)
    assert (await notified.says("hello")).text == "hi"


async def test_staff_member_answers_over_budget_and_is_relieved_when_silent(limited: Laboratory) -> None:
    await limited.model.plays(scene("hello", says("hi")))
    mia, customer = limited.staff(), limited.customer("lena")
    named = {"session_id": customer.session}
    await restart_sessions(limited, SESSION_TOKENS_MAX="1", STAFF_SILENT_MAX="PT0S")
    assert [(await customer.says("hello")).text for _ in range(2)] == ["hi", OVER_BUDGET]
    assert (await mia.asks("take_over", **named)).status == 200
    assert (await customer.says("hello")).text == STAFF_WILL_ANSWER
    assert (await mia.asks("message", **named, text="I can help.")).status == 200
    assert (await mia.asks("hand_back", **named)).status == 200

    await restart_sessions(limited, STAFF_SILENT_MAX="PT1S")
    waiting = limited.customer("lena")
    named = {"session_id": waiting.session}
    assert (await waiting.says("hello")).text == "hi"
    assert (await mia.asks("take_over", **named)).status == 200

    async def relieved() -> bool:
        return bool((await waiting.asks("transcript")).body["turns"][-1]["reply"] == STAFF_SILENT)

    await limited.until(relieved)
    assert (await mia.asks("message", **named, text="Sorry, I was away.")).status == 409
    assert (await waiting.says("hello")).text == "hi"
