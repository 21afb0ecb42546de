"""The part of a model that all wire APIs share: one call from the request's body to the reply."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from switchboard.agent import HANDOFF_PREFIX, Agent
from switchboard.messages import Message, ModelReply, TurnRequest
from switchboard.models.endpoint import Endpoint
from switchboard.models.model import Observer
from switchboard.models.providers import Provider, WireApi


class EndpointModel(ABC):
    """A model behind an endpoint. `options` are added to every request's body."""

    api: ClassVar[WireApi]
    path: ClassVar[str]
    reserved: ClassVar[frozenset[str]]
    """Fields that options cannot set."""

    def __init__(
        self, endpoint: Endpoint, model: str, name: str = "", options: Mapping[str, Any] | None = None
    ) -> None:
        self.name = name or model
        self.provider = endpoint.provider.name
        self._endpoint = endpoint
        self._model = model
        self._options = {key: value for key, value in (options or {}).items() if key not in self.reserved}
        self._origin = f"{endpoint.provider.name}:{model}@{endpoint.host}"

    async def prepare(self) -> None:
        """Import and build the client, so that the first call does not wait for it."""
        await self._endpoint.client()

    async def ask(
        self, agent: Agent, request: TurnRequest, added: Sequence[Message], observer: Observer | None = None
    ) -> ModelReply:
        """Make one call. Raises ModelUnavailable or ModelRejected."""
        body = self.body(agent, request, added)
        if observer is None:
            content = await self._endpoint.send(self.path, body)
        else:
            content = await self._watched(body, observer)
        known = [tool.name for tool in agent.tools if tool.offered]
        known += [HANDOFF_PREFIX + peer.name for peer in request.peers]
        return self._read(content, agent.name, self.name, self._origin, known)

    def body(self, agent: Agent, request: TurnRequest, added: Sequence[Message]) -> dict[str, Any]:
        """Return the request's body, with the options of this model."""
        return self._build(self._endpoint.provider, self._model, agent, request, added, self._origin) | self._options

    @staticmethod
    @abstractmethod
    def _build(
        provider: Provider, model: str, agent: Agent, request: TurnRequest, added: Sequence[Message], origin: str
    ) -> dict[str, Any]:
        """Return the body of a request in this wire API."""

    @staticmethod
    @abstractmethod
    def _read(content: bytes, agent: str, model: str, origin: str, known: Sequence[str]) -> ModelReply:
        """Read an answer in this wire API."""

    @abstractmethod
    async def _watched(self, body: Mapping[str, Any], observer: Observer) -> bytes:
        """Stream the answer, show its text to the observer, and return the answer as if it had come whole."""
