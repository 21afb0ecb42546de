"""A handler's context without Restate, for tests of what a handler does again when it is retried."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4


@dataclass
class Context:
    """A handler's context without Restate: it keeps the key, and journals nothing, so that each call is a retry."""

    key: UUID = field(default_factory=uuid4)

    def uuid(self) -> UUID:
        return self.key

    def run_typed(self, _name: str, action: Any, _options: Any) -> Any:
        return asyncio.ensure_future(action())


async def wait_for(future: Any) -> None:
    await asyncio.wait([future])
