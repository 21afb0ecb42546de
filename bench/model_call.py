"""One model call by itself: our request path, beside the typed methods of the same client for the same request.

`python -m bench.model_call` measures only this, in some seconds, and prints the table.
"""

import asyncio
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from aiohttp import web

from bench.results import Results
from services.bank.agent import bank
from switchboard.local.process import free_ports, is_healthy, wait_until
from switchboard.messages import Card, Identity, Message, ModelReply, ToolCall, ToolResult, TurnRequest, UserText
from switchboard.models.connect import KINDS, endpoint_for
from switchboard.models.endpoint import Endpoint
from switchboard.models.endpoint_model import EndpointModel
from switchboard.models.providers import PROVIDERS, WireApi
from switchboard.models.settings import ModelSettings

OUR_PATH = "Switchboard's request path"
TYPED = "the client's typed method"
CALL_MS = "CPU ms per model call, {}"
APIS: tuple[WireApi, ...] = ("responses", "chat", "messages")
WARM_UP = 20
SERVER_STARTS_WITHIN = timedelta(seconds=60)
MODEL_CALL_TURNS = 6
"""Of the conversation in the request."""

TEXT = "Your balance is 2,412.07 EUR, and there are two cards."
CALLS = (("get_balance", "{}"), ("list_cards", "{}"))

ANSWERS: dict[WireApi, dict[str, Any]] = {
    "responses": {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "output": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
            },
            *(
                {"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}", "name": name, "arguments": arguments}
                for n, (name, arguments) in enumerate(CALLS)
            ),
        ],
        "usage": {
            "input_tokens": 900,
            "input_tokens_details": {"cached_tokens": 800},
            "output_tokens": 40,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 940,
        },
    },
    "chat": {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "content": TEXT,
                    "tool_calls": [
                        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
                        for n, (name, arguments) in enumerate(CALLS)
                    ],
                },
            }
        ],
        "usage": {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940},
    },
    "messages": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "stop_reason": "tool_use",
        "content": [
            {"type": "text", "text": TEXT},
            *({"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": {}} for n, (name, _) in enumerate(CALLS)),
        ],
        "usage": {"input_tokens": 900, "output_tokens": 40},
    },
}


def conversation() -> TurnRequest:
    """A request with some turns, each with calls and their results."""
    messages: list[Message] = []
    for turn in range(MODEL_CALL_TURNS):
        calls = tuple(
            ToolCall(call_id=f"call_{turn}_{n}", tool=name, arguments=arguments)
            for n, (name, arguments) in enumerate(CALLS)
        )
        messages += [UserText(text="How much is my balance, and which cards do I have?")]
        messages += [ModelReply(agent=bank.name, calls=calls)]
        messages += [ToolResult(call_id=call.call_id, ok=True, content='{"amount": "2412.07"}') for call in calls]
        messages += [ModelReply(agent=bank.name, text=TEXT)]
    identity = Identity(session_id="s-1", customer_id="alice")
    peers = (Card(name="Airline", handles="Flights and bookings."),)
    return TurnRequest(identity=identity, transcript=(*messages, UserText(text="And now?")), peers=peers)


def serve(port: int) -> None:
    """Give every request of an API the same answer."""
    app = web.Application(client_max_size=8 * 1024 * 1024)

    def always(answer: dict[str, Any]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            await request.read()
            return web.json_response(answer)

        return handle

    async def health(request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/health", health)
    for api in APIS:
        app.router.add_post(KINDS[api].path, always(ANSWERS[api]))
    web.run_app(app, host="127.0.0.1", port=port, print=None)


@contextmanager
def fixed_answers() -> Iterator[str]:
    """Serve the answers from a process of its own, so that its CPU time is not counted. Yields its address."""
    (port,) = free_ports(1)
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.join()


def models(url: str) -> Iterator[tuple[WireApi, Endpoint, EndpointModel]]:
    settings = ModelSettings.model_construct()
    for api in APIS:
        provider = PROVIDERS["anthropic" if api == "messages" else "openai"]
        endpoint = endpoint_for(provider, api, url, "key", asyncio.Semaphore(1), settings)
        yield api, endpoint, KINDS[api](endpoint, "m")


async def typed_call(api: WireApi, client: Any, body: dict[str, Any]) -> bool:
    """Make the call as the client's documentation does. Returns whether the answer has the calls."""
    if api == "responses":
        answer = await client.responses.create(**body)
        return [item.type for item in answer.output].count("function_call") == len(CALLS)
    if api == "chat":
        answer = await client.chat.completions.create(**body)
        return len(list(answer.choices[0].message.tool_calls)) == len(CALLS)
    answer = await client.messages.create(**body)
    return [block.type for block in answer.content].count("tool_use") == len(CALLS)


async def cpu_ms(call: Callable[[], Awaitable[bool]], times: int) -> float:
    """Return the CPU time of this process per call, one after another. Raises ValueError for a wrong answer."""
    began = time.process_time()
    for _ in range(times):
        if not await call():
            raise ValueError("the answer has not the calls that were sent")
    return (time.process_time() - began) * 1_000 / times


async def measure_calls(results: Results, rounds: int, times: int) -> None:
    """Measure both ways of each API in alternation."""
    request = conversation()
    with fixed_answers() as url:
        await wait_until(lambda: is_healthy(f"{url}/health"), SERVER_STARTS_WITHIN, "the fixed answers are not served")
        for api, endpoint, model in models(url):
            client = (await endpoint.client()).http

            async def ours(model: EndpointModel = model) -> bool:
                return len((await model.ask(bank, request, [])).calls) == len(CALLS)

            async def typed(api: WireApi = api, client: Any = client, model: EndpointModel = model) -> bool:
                return await typed_call(api, client, model.body(bank, request, []))

            ways = ((OUR_PATH, ours), (TYPED, typed))
            for _, call in ways:
                await cpu_ms(call, WARM_UP)
            for round_number in range(rounds):
                for name, call in ways if round_number % 2 == 0 else reversed(ways):
                    results.add(CALL_MS.format(api), name, await cpu_ms(call, times))
            await client.close()


def main() -> None:
    # Imported here: the report imports this module's names.
    from bench.report import model_call_tables  # noqa: PLC0415

    results = Results(rounds=3)
    asyncio.run(measure_calls(results, results.rounds, times=100))
    sys.stdout.write(f"{model_call_tables(results)}\n")


if __name__ == "__main__":
    main()
