"""Texts of the demo model: results, questions for missing arguments, greetings, and the stand-in's apology."""

import re
from collections import Counter
from collections.abc import Sequence

from switchboard.demo_model.catalogue import Catalogue, Function, Parameter
from switchboard.demo_model.conversation import QUESTION_PREFIX, Result
from switchboard.demo_model.rendering import render, value_text
from switchboard.demo_model.words import content_stems, plain, split_words

QUOTED_MAX_CHARS = 120
DESCRIPTION_MAX_CHARS = 120
SUMMARY_MAX_CHARS = 2_000
CHOICES_NAMED_MAX = 12

STAND_IN = (
    "I am a rule-based stand-in for a language model and cannot help with that{what}. "
    "To talk to a real model, set OPENAI_API_KEY and start again."
)
# In a hand-off's description, the text after this says what the agent handles.
_HANDLES = re.compile(r"\bhandles:\s+", re.I)
_VERBS = frozenset("get list show search fetch find lookup look read summarize check retrieve query describe".split())


def results_text(results: Sequence[Result]) -> str:
    """Render all results in order: sentences on one line, lists as separate paragraphs."""
    repeated = {name for name, times in Counter(r.name for r in results).items() if times > 1}
    texts = [render(topic(r.name), r.output, r.arguments if r.name in repeated else "") for r in results]
    texts = list(dict.fromkeys(text for text in texts if text))
    return ("\n\n" if any("\n" in text for text in texts) else " ").join(texts)


def topic(function_name: str) -> str:
    """Return the topic of a function: "accounts_list_loans" -> "loans"."""
    words = split_words(function_name)
    after_verb = next((words[i + 1 :] for i, word in enumerate(words) if word in _VERBS), [])
    return " ".join(after_verb or words)


def question_for(missing: Sequence[Parameter]) -> str:
    """Return one question for all missing arguments."""
    return f"{QUESTION_PREFIX}{', and '.join(_describe(p) for p in missing)}."


def _describe(p: Parameter) -> str:
    name, description = plain(p.name), _first_sentence(p.description)
    if description and set(content_stems(name)) & set(content_stems(description)):
        wanted = _with_article(description)
    else:
        wanted = f"the {name} ({description})" if description else f"the {name}"
    if p.enum:
        return f"{wanted}: {_listed([value_text(str(v)) for v in p.enum[:CHOICES_NAMED_MAX]], 'or')}"
    return f"{wanted}, for example {p.examples[0]}" if p.examples and p.examples[0] not in wanted else wanted


def _first_sentence(text: str) -> str:
    sentence = text.split(". ")[0].strip().rstrip(".")
    if len(sentence) <= DESCRIPTION_MAX_CHARS:
        return sentence
    kept = sentence[:DESCRIPTION_MAX_CHARS]
    return f"{kept[: max(kept.rfind(mark) for mark in ',; ')]} …"


def _with_article(phrase: str) -> str:
    first, _, rest = phrase.partition(" ")
    lowered = phrase if first.isupper() and len(first) > 1 else f"{first[:1].lower()}{first[1:]} {rest}".strip()
    return lowered if first.lower() in ("the", "a", "an", "your", "which", "how") else f"the {lowered}"


def _listed(words: Sequence[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def welcome(opening: str, catalogue: Catalogue) -> str:
    """Return a short greeting that lists what the customer can ask."""
    lines = [f"- {_offer(f)}" for f in catalogue.functions]
    if not lines:
        return f"{opening} {STAND_IN.format(what='')}"
    return "\n".join([f"{opening} I can help with:", *lines])


def _offer(function: Function) -> str:
    name = plain(function.agent) if function.is_hand_off else plain(function.name)
    text = _first_sentence(_HANDLES.split(function.description)[-1]) or name
    return f"{text[:1].upper()}{text[1:]}." if not function.is_hand_off else f"{function.agent}: {text}."


def stand_in(questions: Sequence[str]) -> str:
    """Return the text for questions without a rule. It says how to get a real model."""
    asked = "; ".join(q.strip() for q in questions if q.strip())
    if len(asked) > QUOTED_MAX_CHARS:
        asked = f"{asked[:QUOTED_MAX_CHARS]}…"
    return STAND_IN.format(what=f" (“{asked}”)" if asked else "")


def summary(user_texts: Sequence[str]) -> str:
    """Summarize a conversation, for requests that offer no functions and ask for a summary."""
    said = "; ".join(" ".join(text.split()) for text in user_texts)
    return f"The customer wrote: {said}"[:SUMMARY_MAX_CHARS]
