"""What a peer in Restate accepts and returns: the same JSON as the peers behind HTTP (bench/peers/front.py)."""

from switchboard.messages import WireModel


class Message(WireModel):
    """Restate's ingress drops a message that it has seen under the same idempotency key, so the peer ignores `key`."""

    text: str
    key: str = ""


class Reply(WireModel):
    text: str
    results: int
