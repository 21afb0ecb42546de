"""Rules that decide the reply: calls, a hand-off, a question or a text. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from switchboard.demo_model import phrasing
from switchboard.demo_model.arguments import Filled, Sources, fill
from switchboard.demo_model.catalogue import DESCRIPTION_WEIGHT, Catalogue, Function, Parameter, compile_catalogue
from switchboard.demo_model.conversation import Conversation, Result, call_key
from switchboard.demo_model.questions import Question, find_questions, overlaps
from switchboard.demo_model.wire import NewCall, Reply, Request
from switchboard.demo_model.words import STOP_WORDS, content_stems, plain, split_words

CALLS_A_REPLY_MAX = 8
# Limit of replies to one message. After it, only text is returned, so that a loop ends.
REPLIES_A_MESSAGE_MAX = 8
# Among functions within this share of the best score, the one with the fewest missing arguments is used.
NEAR_BEST_SHARE = 0.9

_SAME_AGAIN = re.compile(r"\b(?:same|that|this) (?!month|week|year|day|quarter)[a-z]+", re.I)
_THANKS = re.compile(r"\b(?:thanks?|thx|cheers|danke)\b", re.I)
_ALL = re.compile(r"\b(?:which|what|all|list|show)\b.*\b[a-z]{3,}s\b", re.I)
_SUMMARY = re.compile(r"\bsummar(?:y|i[sz]e)\b", re.I)


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions for the questions of one message: calls to make, parameters to ask for, or a hand-off."""

    calls: tuple[NewCall, ...] = ()
    asks: tuple[Parameter, ...] = ()
    hand_off: Function | None = None
    handed_over: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def decide(request: Request) -> Reply:
    """Return the reply to `request`. Equal requests get equal replies."""
    talk = Conversation(request.items)
    catalogue = compile_catalogue(request.tools_json)
    if not catalogue.functions and _SUMMARY.search(request.instructions):
        return Reply(phrasing.summary(talk.all_user_texts))
    results = [r for r in talk.results_since(talk.last_user) if not r.is_hand_off]
    questions = _questions_to_answer(talk, catalogue)
    if not questions:
        return Reply(_answer(results, Plan()) if results else _welcome(talk.last_user_text, catalogue))
    plan = _plan(questions, request, talk, catalogue)
    may_call = request.calls_allowed and talk.replies < REPLIES_A_MESSAGE_MAX
    if plan.calls and may_call:
        return Reply(calls=plan.calls if request.parallel_calls else plan.calls[:1])
    if plan.hand_off is not None and not plan.asks and may_call:
        # Unknown questions are handed off too, so that the last agent tells the customer about them once.
        return Reply(calls=(_hand_off_call(plan.hand_off, (*plan.handed_over, *plan.unknown)),))
    return Reply(_answer(results, plan))


def _questions_to_answer(talk: Conversation, catalogue: Catalogue) -> list[Question]:
    """Return the questions of the last message, or of the pending request if the message answers our question."""
    texts = talk.pending_texts
    latest = texts[-1]
    users = talk.all_user_texts
    before = users[-2] if len(users) > 1 else ""
    fresh = find_questions(latest, catalogue, before)
    if len(texts) == 1 or (any(q.complete and q.matches for q in fresh)):
        return _remaining(fresh, talk)
    return _remaining(find_questions(texts[0], catalogue), talk)


def _remaining(questions: list[Question], talk: Conversation) -> list[Question]:
    """Leave out questions that the previous agent has answered: its hand-off's reason lists the open ones."""
    since = talk.results_since(talk.last_user)
    reason = next((_normal(r.arguments) for r in reversed(since) if r.is_hand_off), "")
    named = [q for q in questions if _normal(q.text) in reason]
    return named or questions


def _normal(text: str) -> str:
    return " ".join(split_words(text))


def _plan(questions: Sequence[Question], request: Request, talk: Conversation, catalogue: Catalogue) -> Plan:
    done = [r for r in talk.results_since(talk.pending_request[0]) if not r.is_hand_off]
    visited = talk.visited_agents(request.instructions) | {request.metadata.get("agent", "").lower()}
    calls: dict[tuple[str, bytes], NewCall] = {}
    asks: dict[str, Parameter] = {}
    elsewhere: list[tuple[Function, str]] = []
    unknown: list[str] = []
    for question in questions:
        if _answered_elsewhere(question, done, catalogue):
            continue
        function, filled = _choose(question, talk, catalogue)
        if function is None:
            unknown.append(question.text)
        elif function.is_hand_off:
            target = _open_hand_off(question, visited)
            elsewhere.append((target, question.text)) if target else unknown.append(question.text)
        elif filled.missing:
            asks.update((p.name, p) for p in filled.missing)
        else:
            call = NewCall(function.name, orjson.dumps(filled.arguments).decode())
            calls.setdefault(call_key(call.name, call.arguments), call)
    fresh = [call for key, call in calls.items() if key not in {r.key for r in done}]
    return Plan(
        calls=tuple(fresh[:CALLS_A_REPLY_MAX]),
        asks=tuple(asks.values()),
        hand_off=elsewhere[0][0] if elsewhere else None,
        handed_over=tuple(text for _, text in elsewhere),
        unknown=tuple(unknown),
    )


def _answered_elsewhere(question: Question, done: Sequence[Result], catalogue: Catalogue) -> bool:
    """Return whether another agent's call answers the question, by a function that is not offered here."""
    if any(not m.function.is_hand_off for m in question.matches):
        return False
    foreign = [f"{plain(r.name)} {r.arguments}" for r in done if catalogue.get(r.name) is None]
    return any(overlaps(question, call) >= 1.0 for call in foreign)


def _open_hand_off(question: Question, visited: frozenset[str]) -> Function | None:
    """Return the best hand-off for a question, unless that agent has already had this message."""
    best = next((m.function for m in question.matches if m.function.is_hand_off), None)
    return best if best is not None and best.agent.lower() not in visited else None


def _choose(question: Question, talk: Conversation, catalogue: Catalogue) -> tuple[Function | None, Filled]:
    sources = _sources(question, talk)
    if not question.matches:
        # Another agent handed the question over to this one, so a search may answer it.
        search_it = question.is_question and talk.visited_agents("")
        search = next((f for f in catalogue.tools if f.takes_question), None) if search_it else None
        return search, fill(search, sources) if search else Filled({}, ())
    limit = question.matches[0].score * NEAR_BEST_SHARE
    near = [m for m in question.matches if m.score >= limit and not m.function.is_hand_off]
    if question.matches[0].function.is_hand_off or not near:
        return question.matches[0].function, Filled({}, ())
    function, filled = min(((m.function, fill(m.function, sources)) for m in near), key=lambda o: len(o[1].missing))
    if filled.missing and _ALL.search(question.text) and (overview := _overview(question)):
        return overview, fill(overview, sources)
    other = next((m.function for m in question.matches if m.score >= limit and m.function.is_hand_off), None)
    # Hand off to an agent that may know before asking the customer.
    return (other, Filled({}, ())) if filled.missing and other is not None else (function, filled)


def _overview(question: Question) -> Function | None:
    """Return a function on the question's topic that needs no arguments, so that it lists everything."""
    for match in question.matches:
        function = match.function
        knows = all(function.weights.get(stem, 0.0) >= DESCRIPTION_WEIGHT for stem in question.stems)
        if knows and not function.is_hand_off and not any(p.required for p in function.parameters):
            return function
    return None


def _sources(question: Question, talk: Conversation) -> Sources:
    texts = talk.pending_texts
    known = [question.text, *reversed(texts)]
    if _SAME_AGAIN.search(texts[-1]):
        known += reversed(talk.all_user_texts)
    reply = texts[-1] if len(texts) > 1 else ""
    return Sources(question.text, tuple(dict.fromkeys(known)), reply)


def _hand_off_call(function: Function, questions: Sequence[str]) -> NewCall:
    reason = "The customer asks: " + "; ".join(questions)
    text = next((p.name for p in function.parameters if "string" in p.kinds), None)
    filled = fill(function, Sources(reason, (reason,), reason)).arguments
    arguments = filled | ({text: reason} if text else {})
    return NewCall(function.name, orjson.dumps(arguments).decode())


def _answer(results: Sequence[Result], plan: Plan) -> str:
    parts = [phrasing.results_text(results)] if results else []
    if plan.asks:
        parts.append(phrasing.question_for(plan.asks))
    elif plan.unknown or plan.handed_over or not parts:
        parts.append(phrasing.stand_in((*plan.unknown, *plan.handed_over)))
    return "\n\n".join(part for part in parts if part)


def _welcome(text: str, catalogue: Catalogue) -> str:
    """Reply to a greeting, to thanks, to "what can you do", and to a message without topical words."""
    words = [w for w in split_words(text) if w not in STOP_WORDS]
    if words and not content_stems(text) and len(words) > 3:
        return phrasing.stand_in((text,))
    opening = "You are welcome." if _THANKS.search(text) else "Hello!"
    return phrasing.welcome(opening, catalogue)
