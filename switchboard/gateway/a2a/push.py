"""Push notification configs: kept by the mesh, for hosts that the settings allow."""

from urllib.parse import quote
from uuid import uuid4

from a2a.types import AuthenticationInfo, ListTaskPushNotificationConfigsResponse, TaskPushNotificationConfig
from a2a.utils.errors import InvalidParamsError, PushNotificationNotSupportedError, TaskNotFoundError
from pydantic import ValidationError

from switchboard.gateway.identity import Caller
from switchboard.gateway.ingress import CALL_TIMEOUT
from switchboard.gateway.sessions import problems_for_errors
from switchboard.ingress import RestateIngress
from switchboard.session.a2a import TaskName
from switchboard.session.contract import CustomerRequest
from switchboard.session.push_contract import (
    TASK_PUSH,
    PushConfig,
    PushConfigs,
    PushRequest,
    SetPush,
    may_be_told,
)

DEFAULT_ID = "default"

HOST_REFUSED = (
    "This address cannot be told about tasks. Use https, and one of the hosts that the operator of this mesh allows."
)
NO_CONFIG = "This task has no such push notification config."


class PushConfigStore:
    """The configs of tasks. `hosts` are allowed; without any, push notifications are not supported."""

    def __init__(self, ingress: RestateIngress, hosts: tuple[str, ...]) -> None:
        self._ingress = ingress
        self._hosts = hosts

    def require_support(self) -> None:
        """Raises PushNotificationNotSupportedError without hosts."""
        if not self._hosts:
            raise PushNotificationNotSupportedError

    async def set(
        self, caller: Caller, name: TaskName, given: TaskPushNotificationConfig
    ) -> TaskPushNotificationConfig:
        """Keep a config, and return it. Raises A2AError for an address that may not be told."""
        self.require_support()
        if not may_be_told(given.url, self._hosts):
            raise InvalidParamsError(HOST_REFUSED)
        try:
            config = PushConfig(
                id=given.id or DEFAULT_ID,
                url=given.url,
                token=given.token,
                scheme=given.authentication.scheme,
                credentials=given.authentication.credentials,
            )
        except ValidationError as error:
            raise InvalidParamsError("A field of the push notification config is too long.") from error
        who = {"customer_id": caller.customer_id, "signed_in": caller.signed_in}
        content = await self._call(name, "set", SetPush(config=config, **who))
        return shown(name, PushConfig.model_validate_json(content))

    async def list(self, caller: Caller, name: TaskName) -> ListTaskPushNotificationConfigsResponse:
        """Return the customer's configs of a task."""
        self.require_support()
        who = PushRequest(customer_id=caller.customer_id, signed_in=caller.signed_in)
        with problems_for_errors():
            content = await self._ingress.read(path(name, "list"), who, CALL_TIMEOUT)
        configs = PushConfigs.model_validate_json(content).configs
        return ListTaskPushNotificationConfigsResponse(configs=[shown(name, config) for config in configs])

    async def get(self, caller: Caller, name: TaskName, config_id: str) -> TaskPushNotificationConfig:
        """Return a config. Raises TaskNotFoundError."""
        found = {config.id: config for config in (await self.list(caller, name)).configs}
        config: TaskPushNotificationConfig | None = found.get(config_id)
        if config is None:
            raise TaskNotFoundError(NO_CONFIG)
        return config

    async def delete(self, caller: Caller, name: TaskName, config_id: str) -> None:
        """Remove a config, if there is one."""
        self.require_support()
        who = {"customer_id": caller.customer_id, "signed_in": caller.signed_in}
        await self._call(name, "delete", PushRequest(id=config_id, **who))

    async def _call(self, name: TaskName, handler: str, request: CustomerRequest) -> bytes:
        with problems_for_errors():
            return await self._ingress.call(path(name, handler), request, CALL_TIMEOUT, uuid4().hex)


def path(name: TaskName, handler: str) -> str:
    return f"/{TASK_PUSH}/{quote(str(name), safe='')}/{handler}"


def shown(name: TaskName, config: PushConfig) -> TaskPushNotificationConfig:
    """Return a config as its client sees it: its secrets stay here."""
    authentication = AuthenticationInfo(scheme=config.scheme) if config.scheme else None
    return TaskPushNotificationConfig(
        id=config.id, task_id=str(name), url=config.url, token=config.token, authentication=authentication
    )
