"""A model that makes the calls that are written in the customer's message: `python -m tests.generated.written_model`.

So thousands of conversations need no script on the server, and a printed conversation is complete. A message is a JSON
list with one list of calls for each step. The number of replies since selects the step, so a retry gets the same reply.
After the last step, and after a yes, the reply is DONE. Any other message is answered with HERE.
"""

import asyncio
import signal

import orjson
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from switchboard.demo_model.app import create_app
from switchboard.demo_model.conversation import Conversation
from switchboard.demo_model.engine import Engine
from switchboard.demo_model.script import Position, Script, Step
from switchboard.demo_model.settings import read_settings
from switchboard.demo_model.wire import NewCall, Reply, Request

DONE, HERE = "it is done", "Yes, I am here."


class WrittenInMessages(Script):
    """Finds each reply in the customer's message."""

    def find(self, request: Request) -> tuple[Position, Step]:
        talk = Conversation(request.items)
        said, replies = talk.last_user_text.strip(), talk.replies
        steps = orjson.loads(said) if said.startswith("[") else []
        return Position(0, replies), Step(reply_of(steps, replies))


def reply_of(steps: list[list[tuple[str, object]]], replies: int) -> Reply:
    """Return the reply after so many replies to a message with these steps."""
    if replies < len(steps):
        return Reply(calls=tuple(NewCall(name, orjson.dumps(given).decode()) for name, given in steps[replies]))
    return Reply(text=DONE if replies else HERE)


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


async def serve() -> None:
    settings = read_settings()
    engine = Engine(WrittenInMessages(()))
    server = Server(
        create_app(engine),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )

    def stop() -> None:
        engine.stopping.set()
        server.stop()  # type: ignore[no-untyped-call]  # granian has no annotation

    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop)
    await server.serve()


if __name__ == "__main__":
    main()
