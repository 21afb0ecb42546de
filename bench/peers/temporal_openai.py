"""openai-agents with Temporal's plugin for it: `python -m bench.peers.temporal_openai` in its own venv.

As in the plugin's documentation and its sample for customer service: a workflow is a conversation, a message is an
update of it, model calls and tools are activities, and a long history continues in a new run. Each process is a worker
and a client. Timeouts are those of the documentation: they decide how late the work of a killed worker starts again.
"""

import asyncio
import os
from datetime import timedelta
from typing import Any
from uuid import uuid4

# The peers' packages are only in requirements/bench.txt.
from temporalio import activity, workflow  # type: ignore[import-not-found]
from temporalio.client import Client, WithStartWorkflowOperation  # type: ignore[import-not-found]
from temporalio.common import WorkflowIDConflictPolicy  # type: ignore[import-not-found]
from temporalio.openai_agents import ModelActivityParameters, OpenAIAgentsPlugin  # type: ignore[import-not-found]
from temporalio.openai_agents.workflow import activity_as_tool  # type: ignore[import-not-found]
from temporalio.worker import Worker  # type: ignore[import-not-found]

with workflow.unsafe.imports_passed_through():
    from agents import (  # type: ignore[import-not-found]
        Agent,
        ModelSettings,
        OpenAIProvider,
        RunConfig,
        Runner,
    )

    from bench import work
    from bench.contract import AGENT, INSTRUCTIONS, Book, LookUp, Wait
    from bench.peers.endpoint import model_name, openai_client
    from bench.peers.front import Done, listen

STEPS_MAX = 8
TASK_QUEUE = "bench"
MODEL_TIMEOUT = timedelta(seconds=30)
TOOL_TIMEOUT = timedelta(seconds=10)


@activity.defn  # type: ignore[untyped-decorator]
async def wait(name: str, milliseconds: int) -> str:
    """Wait for a while."""
    return (await work.wait(Wait(name=name, milliseconds=milliseconds))).model_dump_json()


@activity.defn  # type: ignore[untyped-decorator]
async def look_up(name: str) -> str:
    """Look something up."""
    return (await work.look_up(LookUp(name=name))).model_dump_json()


@activity.defn  # type: ignore[untyped-decorator]
async def book(name: str, milliseconds: int) -> str:
    """Book something after a while."""
    return (await work.book(Book(name=name, milliseconds=milliseconds))).model_dump_json()


ACTIVITIES = (wait, look_up, book)


@workflow.defn
class Conversation:
    """One customer's conversation, with all items in the workflow's state."""

    @workflow.init  # type: ignore[untyped-decorator]
    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self._lock = asyncio.Lock()
        self._agent = Agent(
            name=AGENT,
            instructions=INSTRUCTIONS,
            model=model_name(),
            model_settings=ModelSettings(parallel_tool_calls=True, store=False),
            tools=[activity_as_tool(each, start_to_close_timeout=TOOL_TIMEOUT) for each in ACTIVITIES],
        )

    @workflow.run  # type: ignore[untyped-decorator]
    async def run(self, items: list[Any]) -> None:
        info = workflow.info()
        await workflow.wait_condition(lambda: info.is_continue_as_new_suggested() and workflow.all_handlers_finished())
        workflow.continue_as_new(self._items)

    @workflow.update  # type: ignore[untyped-decorator]
    async def answer(self, text: str) -> dict[str, Any]:
        """Answer a message."""
        async with self._lock:
            items = [*self._items, {"role": "user", "content": text}]
            config = RunConfig(tracing_disabled=True)
            result = await Runner.run(self._agent, items, max_turns=STEPS_MAX, run_config=config)
            self._items = result.to_input_list()
        results = sum(item.type == "tool_call_output_item" for item in result.new_items)
        return {"text": str(result.final_output), "results": results}


class Conversations:
    def __init__(self, client: Any) -> None:
        self._client = client

    async def turn(self, session: str, text: str, key: str) -> Done:
        """Send an update. An update with the same id is the same update."""
        start = WithStartWorkflowOperation(
            Conversation.run,
            [],
            id=session,
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        done = await self._client.execute_update_with_start_workflow(
            Conversation.answer, text, id=key or str(uuid4()), start_workflow_operation=start
        )
        return Done(**done)


async def main() -> None:
    plugin = OpenAIAgentsPlugin(
        model_params=ModelActivityParameters(start_to_close_timeout=MODEL_TIMEOUT),
        model_provider=OpenAIProvider(openai_client=openai_client()),
        add_temporal_spans=False,
    )
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"], plugins=[plugin])
    async with Worker(client, task_queue=TASK_QUEUE, workflows=[Conversation], activities=list(ACTIVITIES)):
        await listen(Conversations(client).turn)


if __name__ == "__main__":
    asyncio.run(main())
