"""Plays one conversation, and compares every reply, question and result with the models' predictions."""

import asyncio
import copy
import itertools
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from switchboard.session.state import NOT_DONE, OUTCOME_UNKNOWN
from switchboard.testing import JSON, Answer
from tests.chaos.trials import outcome_of
from tests.chaos.writes import Told
from tests.generated import model_of_airline, model_of_bank
from tests.generated.customer import Models, Names, Talk, resolved
from tests.generated.generate import SLOW_TO_SETTLE
from tests.generated.outcomes import (
    Asked,
    Done,
    Mismatch,
    Outcome,
    Refused,
    during_another_change,
    expect,
    known,
    wrong_results,
)
from tests.generated.script import (
    Asks,
    Call,
    Chats,
    Confirms,
    Conversation,
    Declines,
    Interrupts,
    Kills,
    No,
    Repeats,
    Step,
    Yes,
    agent_of,
)
from tests.generated.stage import Stage
from tests.generated.written_model import DONE, HERE

CLOSED, NO_SESSION = 409, 404


class Unknown(Exception):
    """The customer was told that the outcome of an interrupted call is unknown. The conversation ends there."""


@dataclass
class Play:
    """One conversation that is being played."""

    stage: Stage
    conversation: Conversation
    names: Names
    models: Models
    talks: tuple[Talk, Talk]
    alternatives: list[Models] = field(default_factory=list)
    error: Exception | None = None
    strikes: list[asyncio.Task[None]] = field(default_factory=list)

    async def run(self) -> None:
        try:
            with suppress(Unknown):
                await self.take_all()
                await self.check_reads()
        finally:
            await asyncio.gather(*self.strikes)
        for talk in self.talks:
            await self.check_transcript(talk)
            if self.alternatives or self.strikes:
                await self.say(talk, "Are you there?", HERE)
        if self.models.airline and not self.alternatives:
            self.stage.seats |= self.models.airline.seats

    async def take_all(self) -> None:
        for number, step in enumerate(self.conversation.steps, start=1):
            try:
                await self.take(step)
            except AssertionError as error:
                raise Mismatch(f"step {number}, {step!r}: {error}") from error

    async def take(self, step: Step) -> None:
        talk = self.talks[step.session]
        self.stage.sent += not isinstance(step, Kills)
        match step:
            case Kills():
                self.strikes.append(asyncio.create_task(self.stage.kill(step.process, step.after_ms)))
            case Asks():
                await self.ask(talk, tuple(self.resolve(call) for call in step.calls))
            case Yes() | Confirms():
                await self.agree(talk, by_id=isinstance(step, Confirms))
            case Interrupts():
                await self.agree(talk, by_id=False, interrupt_after_ms=step.after_ms)
            case No() | Declines():
                await self.decline(talk, by_id=isinstance(step, Declines))
            case Chats():
                await self.say(talk, "Are you there?", HERE)
            case Repeats():
                await self.repeat(talk)

    def resolve(self, call: Call) -> Call:
        return Call(call.tool, resolved(call.arguments, self.names))

    @property
    def possible(self) -> list[Models]:
        """The models of all states that are possible after what the customer was told."""
        return [self.models, *self.alternatives]

    # What the customer does.

    async def ask(self, talk: Talk, calls: tuple[Call, ...]) -> None:
        """Let the model make calls, and check which are done, refused and asked about."""
        agent = agent_of(calls)
        hand_off = [] if agent == talk.active else [[(f"handoff_to_{agent}", {"reason": "a wish"})]]
        text = json.dumps([*hand_off, [(call.tool, call.arguments) for call in calls]])
        asked = [self.models.ask(call) for call in calls]
        held = tuple((call, one) for call, one in zip(calls, asked, strict=True) if isinstance(one, Asked))
        talk.active, talk.open = agent, held
        answer = await self.send(talk, text)
        self.check_reply(talk, answer, None if held else DONE)
        self.check_question(talk, answer)
        results = (await self.results(talk))[-len(calls) :]
        fixed: dict[int, Outcome] = {position: one for position, one in enumerate(asked) if one is not None}
        await self.settle(talk, calls, fixed, results)

    async def agree(self, talk: Talk, by_id: bool, interrupt_after_ms: int | None = None) -> None:
        """Say yes, by the word or by the question's id."""
        held, talk.open = talk.open, ()
        if by_id and not held:
            await self.send_decision(talk, "confirm", CLOSED if talk.turns else NO_SESSION)
            return
        if not held:
            await self.say(talk, "yes", HERE)
            return
        # The checks of all calls run again before the first call is made.
        checks = [self.models.ask(call) for call, _ in held]
        changed = Refused(frozenset())
        fixed: dict[int, Outcome] = {
            position: now if isinstance(now, Refused) else changed
            for position, (now, (_, before)) in enumerate(zip(checks, held, strict=True))
            if now != before
        }
        sent = self.send_decision(talk, "confirm", 200) if by_id else self.send(talk, "yes")
        if interrupt_after_ms is None:
            answer = await sent
            self.check_reply(talk, answer, DONE)
        else:
            answer = await self.interrupt(talk, sent, interrupt_after_ms)
        calls = [call for call, _ in held]
        if answer.body["interrupted"]:
            await self.settle_interrupted(talk, calls, fixed, answer)
        else:
            await self.settle(talk, calls, fixed, await self.results(talk))

    async def interrupt(self, talk: Talk, sent: Any, after_ms: int) -> Answer:
        message = asyncio.create_task(sent)
        await asyncio.sleep(after_ms / 1000)
        await talk.customer.posts("interrupt", uuid4().hex)
        answer: Answer = await message
        return answer

    async def decline(self, talk: Talk, by_id: bool) -> None:
        held, talk.open = talk.open, ()
        if by_id:
            await self.send_decision(talk, "decline", 200 if held else CLOSED if talk.turns else NO_SESSION)
        else:
            await self.say(talk, "no", NOT_DONE if held else HERE)

    async def say(self, talk: Talk, text: str, reply: str) -> None:
        talk.open = ()
        self.check_reply(talk, await self.send(talk, text), reply)

    async def repeat(self, talk: Talk) -> None:
        """Send the latest request again, and check that the answer is the same and nothing is done."""
        if talk.last is not None:
            handler, key, request, before = talk.last
            again = await talk.customer.posts(handler, key, **request)
            expect((again.status, again.body), (before.status, before.body), "the answer to a repeated request")

    # Requests.

    async def send(self, talk: Talk, text: str) -> Answer:
        talk.said.append(text)
        return await self.request(talk, "send", {"text": text})

    async def send_decision(self, talk: Talk, handler: str, status: int) -> Answer:
        answer = await self.request(talk, handler, {"held_id": talk.held_id}, status)
        if status == 200:
            # The session stores a word for the decision.
            talk.said.append("")
        return answer

    async def request(self, talk: Talk, handler: str, request: JSON, status: int = 200) -> Answer:
        key = uuid4().hex
        answer = await talk.customer.posts(handler, key, **request)
        talk.last = (handler, key, request, answer)
        expect(answer.status, status, f"the status of {handler}: {answer.text}")
        if status == 200:
            talk.turns += 1
            expect(answer.body["turn"], talk.turns, "the turn's number")
        return answer

    # What is checked.

    def check_reply(self, talk: Talk, answer: Answer, text: str | None) -> None:
        expect(answer.body["failed"], False, f"an apology: {answer.text}")
        expect(answer.body["agent"], talk.active, "the agent that answers")
        if text is not None:
            expect(answer.text, text, "the reply")

    def check_question(self, talk: Talk, answer: Answer) -> None:
        """Check that the customer is asked about exactly the calls that need it, and is told what each does."""
        confirmation = answer.body["confirmation"]
        calls = confirmation["calls"] if confirmation else []
        expect([one["tool"] for one in calls], [call.tool for call, _ in talk.open], f"the calls asked: {answer.text}")
        for one, (_, asked) in zip(calls, talk.open, strict=True):
            missing = [part for part in asked.parts if part not in one["question"]]
            expect(missing, [], f"missing in the question {one['question']!r}")
        if confirmation:
            talk.held_id = confirmation["held_id"]

    async def results(self, talk: Talk) -> list[JSON]:
        """Return the tool results of the session's latest turn."""
        page = await talk.customer.posts("transcript", "", after=talk.turns - 1, limit=1)
        (turn,) = page.body["turns"]
        return [one for one in turn["messages"] if one["kind"] == "tool"]

    async def settle(
        self, talk: Talk, calls: Sequence[Call], fixed: dict[int, Outcome], results: Sequence[JSON]
    ) -> None:
        """Find the order of the calls that explains their results. Calls of one step run at the same time."""
        fixed = {**during_another_change(calls, results), **fixed}
        made = [position for position in range(len(calls)) if position not in fixed]
        wrong: list[str] = []
        for order in itertools.permutations(made):
            models = copy.deepcopy(self.models)
            outcomes = {**fixed, **{position: models.make(calls[position]) for position in order}}
            wrong = wrong_results(calls, outcomes, results)
            if not wrong:
                self.models = models
                for position in order:
                    await self.follow(talk, calls[position], outcomes[position], results[position])
                return
        raise Mismatch("\n".join(wrong))

    async def settle_interrupted(
        self, talk: Talk, calls: Sequence[Call], fixed: dict[int, Outcome], answer: Answer
    ) -> None:
        """Take over what the customer was told of each call."""
        results = await self.results(talk)
        told: list[Told] = [outcome_of(one) for one in results]
        if len(told) < len(calls):
            # The agent may not have reported what it did.
            told = ["unknown" if OUTCOME_UNKNOWN in answer.text else "not done"] * len(calls)
        for position, call in enumerate(calls):
            if told[position] == "unknown" and position not in fixed:
                await self.note_unknown(call)
            elif told[position] == "done":
                outcome = fixed.get(position) or self.models.make(call)
                expect(wrong_results([call], {0: outcome}, [results[position]]), [], "after an interrupt")
                await self.follow(talk, call, outcome, results[position])
        if self.alternatives:
            raise Unknown

    async def note_unknown(self, call: Call) -> None:
        """Accept from now on that the call was made, and that it was not."""
        other = copy.deepcopy(self.models)
        if isinstance(other.make(call), Done):
            self.alternatives.append(other)
        if call.tool in SLOW_TO_SETTLE:
            await self.wait_until_checked(call.tool)

    async def follow(self, talk: Talk, call: Call, outcome: Outcome, result: JSON) -> None:
        """Note the ids that a call has created, and wait until its workflow has done its part."""
        if not isinstance(outcome, Done):
            return
        if call.tool == "replace_card":
            card_id = json.loads(result["content"])["card"]["card_id"]
            self.names[f"card{known(self.models.bank.cards)}"] = card_id
            model_of_bank.note_new_card(self.models.bank, card_id)
        if call.tool == "book_reservation" and self.models.airline:
            own_id = json.loads(result["content"])["reservation_id"]
            self.names[f"reservation{known(self.models.airline.reservations)}"] = own_id
            model_of_airline.note_new_reservation(self.models.airline, own_id)
        if call.tool == "apply_for_loan":
            await self.wait_for_decision(talk, call.tool, self.models.bank.applications)
        if call.tool == "open_dispute":
            await self.wait_for_decision(talk, call.tool, list(self.models.bank.disputed.values()))

    async def wait_until_checked(self, tool: str) -> list[str]:
        """Wait until no application or dispute of the customer is being checked. Returns the status of each."""
        service, key = SLOW_TO_SETTLE[tool], self.models.bank.customer_id
        found: list[str] = []

        async def checked() -> bool:
            kept = await self.stage.mesh.state(service, key, "records")
            found[:] = [one["status"] for one in (kept or {"records": []})["records"]]
            return "checking" not in found

        await self.stage.mesh.until(checked)
        return found

    async def wait_for_decision(self, talk: Talk, tool: str, predicted: Sequence[str]) -> None:
        """Wait until nothing is being checked, and until the customer was told of the latest decision."""
        expect(await self.wait_until_checked(tool), list(predicted), f"what became of {tool}")
        if predicted[-1] == "waiting_for_staff":
            return

        async def told() -> bool:
            now = await talk.customer.posts("status", "")
            return int(now.body["turns_total"]) > talk.turns

        await self.stage.mesh.until(told)
        talk.turns += 1
        talk.said.append("")

    async def check_reads(self) -> None:
        """Compare everything that the customer is shown at the end with the models."""
        reads = [Call(name, {}) for name in ("get_balance", "list_cards", "list_scheduled", "list_standing_orders")]
        await self.ask(self.talks[0], tuple(reads))
        if self.models.airline:
            own = [Call("get_reservation_details", {"reservation_id": key}) for key in self.models.airline.reservations]
            await self.ask(self.talks[0], (Call("get_user_details", {}), *own[-4:]))

    async def check_transcript(self, talk: Talk) -> None:
        """Check that the transcript has every message once and in order, and every call one result."""
        if not talk.said:
            return
        turns: list[JSON] = []
        while len(turns) < talk.turns:
            page = await talk.customer.posts("transcript", "", after=len(turns), limit=50)
            turns += page.body["turns"]
        expect([turn["turn"] for turn in turns], list(range(1, talk.turns + 1)), "the turns of the transcript")
        for turn, said in zip(turns, talk.said, strict=True):
            users = [one["text"] for one in turn["messages"] if one["kind"] == "user"]
            if said:
                expect(users, [said], f"the customer's words in turn {turn['turn']}")
            made = [call["call_id"] for one in turn["messages"] if one["kind"] == "model" for call in one["calls"]]
            answered = [one["call_id"] for one in turn["messages"] if one["kind"] == "tool"]
            expect(sorted(answered), sorted(made), f"the results of the calls of turn {turn['turn']}")
