"""The requests of push notifications, against an https server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from switchboard.session.push import Delivery, NotDelivered, post
from switchboard.session.push_contract import PushConfig
from tests.remote.conftest import Webhook, open_webhook


@pytest.fixture
async def webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Webhook]:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "webhook.pem"))
    async with open_webhook(tmp_path) as opened:
        yield opened


def delivery(webhook: Webhook) -> Delivery:
    config = PushConfig(id="1", url=f"https://{webhook.host}/told", token="t-1", scheme="Bearer", credentials="c-1")
    return Delivery(config=config, payload='{"task": {"id": "1"}}')


async def test_a_request_has_the_task_and_the_clients_proofs(webhook: Webhook) -> None:
    await post(delivery(webhook), (webhook.host,))
    ((headers, content),) = webhook.told
    assert content == {"task": {"id": "1"}}
    assert headers["Content-Type"] == "application/a2a+json"
    assert (headers["X-A2A-Notification-Token"], headers["Authorization"]) == ("t-1", "Bearer c-1")


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_an_address_that_fails_is_asked_again(webhook: Webhook, status: int) -> None:
    webhook.statuses.append(status)
    with pytest.raises(NotDelivered):
        await post(delivery(webhook), (webhook.host,))


@pytest.mark.parametrize("status", [302, 400, 410])
async def test_an_address_that_refuses_is_not_asked_again(webhook: Webhook, status: int) -> None:
    webhook.statuses.append(status)
    await post(delivery(webhook), (webhook.host,))
    assert webhook.told == []


async def test_a_host_that_is_not_allowed_any_more_is_not_asked(webhook: Webhook) -> None:
    await post(delivery(webhook), ("localhost",))
    assert webhook.told == []


async def test_an_untrusted_certificate_is_refused(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(NotDelivered):
        await post(delivery(webhook), (webhook.host,))
    assert webhook.told == []
