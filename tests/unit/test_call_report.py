"""The report of a turn's calls to the customer, and the result that every call has."""

from switchboard.loop.call_report import CallReport, close_open_calls, report_calls
from switchboard.messages import Message, ModelReply, ToolCall, ToolResult, UserText


def asks(*calls: tuple[str, str]) -> ModelReply:
    return ModelReply(agent="Bank", calls=tuple(ToolCall(call_id=i, tool=tool, arguments="{}") for i, tool in calls))


def result(call_id: str, ok: bool = True, **more: str) -> ToolResult:
    return ToolResult.model_validate({"call_id": call_id, "ok": ok, "content": "", **more})


def test_calls_are_told_by_what_is_known_of_them() -> None:
    messages: list[Message] = [
        UserText(text="go"),
        asks(("1", "get_balance"), ("2", "make_transfer"), ("3", "pay"), ("4", "list_loans"), ("5", "handoff_to_Bank")),
        result("1"),
        result("2", ok=False),
        result("3", ok=False, outcome="unknown"),
        result("4", ok=False, outcome="held"),
        result("5"),
    ]
    account = report_calls(messages)
    assert account == CallReport(done=("get balance",), failed=("make transfer",), unknown=("pay",))
    assert account.sentence() == "Done: get balance. Not done: make transfer. I don't know whether this was done: pay."


def test_report_names_writes_only_once_each_and_in_the_tools_words() -> None:
    call = ToolCall(call_id="1", tool="transfer_money", arguments="{}", label="transfer the money")
    read = ToolCall(call_id="2", tool="get_balance", arguments="{}", read_only=True)
    again = call.model_copy(update={"call_id": "3"})
    messages: list[Message] = [
        ModelReply(agent="Bank", calls=(call, read, again)),
        result("1"),
        result("2"),
        result("3"),
    ]
    assert report_calls(messages).sentence() == "Done: transfer the money."
    assert report_calls([ModelReply(agent="Bank", calls=(read,)), result("2")]).sentence() == ""


def test_an_id_that_is_used_again_belongs_to_its_own_step() -> None:
    messages: list[Message] = [
        asks(("1", "make_transfer")),
        result("1"),
        asks(("1", "get_balance")),
        result("1", ok=False),
    ]
    assert report_calls(messages) == CallReport(done=("make transfer",), failed=("get balance",), unknown=())


def test_a_call_without_a_result_is_given_one_in_its_step() -> None:
    first, second = asks(("1", "a"), ("2", "b")), asks(("1", "c"))
    closed = close_open_calls([first, result("1"), second])
    assert [message.call_id for message in closed if isinstance(message, ToolResult)] == ["1", "2", "1"]
    assert [message.outcome for message in closed if isinstance(message, ToolResult)] == ["known", "unknown", "unknown"]
    assert closed[3] == second


def test_what_is_whole_stays_as_it_is() -> None:
    messages = (UserText(text="go"), asks(("1", "a")), result("1"), ModelReply(agent="Bank", text="done"))
    assert close_open_calls(messages) == messages
    assert close_open_calls(()) == ()
