"""The contract of the benchmark's tools, and the agent that calls them. Values only."""

from switchboard import Agent, Tool, ToolInput
from switchboard.messages import WireModel

BENCH_TOOLS = "BenchTools"
AGENT = "Bench"
INSTRUCTIONS = "You run the tasks that you are asked for, all at once, and say when they are done."


class Wait(ToolInput):
    """`name` comes back in the result, so that mixed-up results are noticed."""

    name: str
    milliseconds: int


class LookUp(ToolInput):
    name: str


class Book(Wait):
    """`name` is unique, so that an effect that happened twice is noticed."""


class Said(WireModel):
    said: str


WAIT = Tool(BENCH_TOOLS, "wait", "Wait for a while.", Wait, Said, read_only=True)
LOOK_UP = Tool(BENCH_TOOLS, "look_up", "Look something up.", LookUp, Said, read_only=True)
BOOK = Tool(BENCH_TOOLS, "book", "Book something after a while.", Book, Said)

TOOLS = (WAIT, LOOK_UP, BOOK)

bench = Agent(name=AGENT, handles="Measurements.", instructions=INSTRUCTIONS, tools=TOOLS)
