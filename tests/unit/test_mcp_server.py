"""Declarations of MCP servers: each error is one clear sentence, at import."""

from datetime import timedelta
from typing import Any

import pytest

from switchboard import Agent, McpServer, McpTool, McpTools, Tool, ToolInput, WireModel

URL = "http://shop.example/mcp"


class Nothing(ToolInput):
    pass


GET_ORDER = Tool(service="Orders", handler="get_order", purpose="Get it.", input=Nothing, output=WireModel)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": ""}, "the name is empty. Write the tool's name at the server"),
        ({"name": "1st"}, "the model cannot call it '1st'. Set alias= to a letter and up to 57 letters"),
        ({"name": "x" * 59}, "the model cannot call it"),
        ({"name": "a", "alias": "a-b"}, "the model cannot call it 'a-b'"),
        ({"name": "check_in"}, "'check_in' is reserved. Set another alias="),
        ({"name": "handoff_to_Bank"}, "'handoff_to_Bank' is reserved"),
        ({"name": "discover"}, "'discover' is reserved"),
        ({"name": "a", "label": " b"}, "label must be a few words on one line"),
        ({"name": "a", "digest": "abc"}, "digest must be the 64 hexadecimal digits"),
        ({"name": "a", "identity": {"x": "name"}}, "identity has no part 'name'. Use one of customer_id, session_id"),
        (
            {"name": "a", "identity": {"session_id": "customer_id"}},
            "'session_id' would be filled with the customer_id. Write identity={'session_id': 'session_id'}",
        ),
    ],
)
def test_wrong_tool_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match="MCP tool") as raised:
        McpTool(**options)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "shop", "url": URL, "tools": ("a",)}, "a name must be a capital letter and up to 47"),
        ({"tools": ("a",)}, "give either url= or command="),
        ({"url": URL, "command": ("node",), "tools": ("a",)}, "give either url= or command="),
        ({"url": "shop.example", "tools": ("a",)}, "url must begin with http:// or https://, not 'shop.example'"),
        ({"command": "node x", "tools": ("a",)}, "command must be a tuple: the program and its arguments"),
        ({"url": URL, "tools": ()}, "it declares no tools. Name those that agents may call"),
        ({"url": URL, "tools": ("a", "a")}, "two of its tools have the name 'a'"),
        ({"url": URL, "tools": ("a-b", "a_b")}, "two of its tools have the alias 'a_b'"),
        ({"url": URL, "tools": ("a",), "timeout": timedelta(0)}, "timeout must be positive"),
        ({"command": ("node",), "tools": ("a",), "authorize": print}, "authorize= and oauth= are for servers"),
    ],
)
def test_wrong_server_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match="MCP server") as raised:
        McpServer(**{"name": "Shop", **options})
    assert sentence in str(raised.value)


def test_agent_refuses_two_tools_of_one_name() -> None:
    shop = McpServer("Shop", url=URL, tools=("get_order",))
    with pytest.raises(ValueError, match="agent Orders: more than one tool is named get_order"):
        Agent(name="Orders", handles="Orders.", instructions="Help.", tools=(GET_ORDER,), servers=(shop,))


def test_agent_may_have_some_tools_of_a_server() -> None:
    shop = McpServer("Shop", url=URL, tools=("get_order", McpTool("refund", alias="pay_back")))
    assert [tool.model_name for tool in shop.only("refund").declared] == ["pay_back"]
    with pytest.raises(ValueError, match=r"'pay_back' is not among its tools\. Declare it first"):
        shop.only("pay_back")


def test_service_has_a_handler_and_a_check_for_each_tool() -> None:
    shop = McpServer("Shop", url=URL, tools=("get-order", McpTool("refund", alias="pay_back")))
    service, tasks = McpTools(shop).served(lambda own="": []).services
    assert (tasks.name, sorted(tasks.handlers)) == ("ShopTasks", ["drop", "keep", "take", "watch"])
    names = ["discover", "check_get_order", "get_order", "check_pay_back", "pay_back"]
    assert (service.name, sorted(service.handlers)) == ("Shop", sorted(names))
