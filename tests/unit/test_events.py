"""Events of a turn: the events of its first messages are the first events of the turn."""

from hypothesis import given
from hypothesis import strategies as st

from switchboard.agent import HANDOFF_PREFIX
from switchboard.events import SEQ_MAX, events_of_messages
from switchboard.messages import Message, ModelReply, Note, Notice, ToolCall, ToolResult, UserText
from switchboard.session.hops import HOPS_MAX

IDS = st.sampled_from(["a", "b", "c"])
CALLS = st.builds(
    ToolCall, call_id=IDS, tool=st.sampled_from(["get_balance", f"{HANDOFF_PREFIX}Bank"]), arguments=st.just("{}")
)
MESSAGES = st.lists(
    st.one_of(
        st.builds(UserText, text=st.text(max_size=5)),
        st.builds(ModelReply, agent=st.just("Bank"), text=st.text(max_size=5), calls=st.tuples(CALLS) | st.just(())),
        st.builds(ToolResult, call_id=IDS, ok=st.booleans(), content=st.just("")),
        st.builds(Note, text=st.text(max_size=5)),
        st.builds(Notice, text=st.text(max_size=5)),
    ),
    max_size=12,
)


@given(MESSAGES, st.integers(0, 12))
def test_the_first_messages_have_the_first_events(messages: list[Message], cut: int) -> None:
    first, rest = messages[:cut], messages[cut:]

    parts = [*events_of_messages([], first), *events_of_messages(first, rest)]

    assert parts == events_of_messages([], messages)


def test_a_turn_has_fewer_events_than_the_number_of_its_last_one() -> None:
    steps, calls, agents = 8, 16, HOPS_MAX + 1

    assert 3 + agents * (2 + steps * (1 + 2 * calls)) < SEQ_MAX
