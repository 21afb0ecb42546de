"""Ids of sessions that the gateway makes. A customer who has not signed in can use no others.

Before sign-in, a token only claims who the customer is. The id of such a session gives access to it, and to what the
customer was told after verifying their identity. So the id is a secret of 128 bits. It has a tag, which proves that the
gateway made it for this customer. Logs, spans and metrics show only its public part.

Some protocols let a client send its first message again before it knows its session. Then the id follows from the id of
the message. It also follows from the caller, so that no other caller can have it, or take it first.
"""

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode

from switchboard.speaker import SpeakerKeys

PUBLIC_BYTES = 6
SECRET_BYTES = 16

PUBLIC_PART = r"g-[A-Za-z0-9_-]{8}"
MADE_ID = re.compile(rf"({PUBLIC_PART})\.([A-Za-z0-9_-]{{22}})\.([A-Za-z0-9_-]{{22}})")
"""Public part, secret, and tag."""

REPEATABLE_ID = re.compile(r"((?:a2a|mcp)-[A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})")
"""Name that follows from a client's own id, and the mark of the owner."""

MARK_CHARS = 22
"""Of a digest in base64: 128 bits."""


def make_session_id(customer_id: str, speaker: SpeakerKeys | None) -> str:
    """Return a new id for a session of this customer. In a mesh without keys, its tag proves nothing."""
    name = f"g-{secrets.token_urlsafe(PUBLIC_BYTES)}.{secrets.token_urlsafe(SECRET_BYTES)}"
    return f"{name}.{speaker.tag(f'{name}/{customer_id}') if speaker else secrets.token_urlsafe(SECRET_BYTES)}"


def make_repeatable_session_id(customer_id: str, secret: str, speaker: SpeakerKeys | None) -> str:
    """Return an id as `make_session_id` does, but the same one each time for the same secret."""
    content = hashlib.sha512(b"switchboard session " + secret.encode()).digest()
    public, hidden = content[:PUBLIC_BYTES], content[PUBLIC_BYTES : PUBLIC_BYTES + SECRET_BYTES]
    name = f"g-{encoded(public)}.{encoded(hidden)}"
    return f"{name}.{speaker.tag(f'{name}/{customer_id}') if speaker else mark(name)}"


def own_session_id(prefix: str, given: str, owner: str) -> str:
    """Return the id of the session that a client's own id `given` starts. Only this owner may use it, see `may_use`."""
    name = f"{prefix}-{mark(given)}"
    return f"{name}.{mark(f'{name}/{owner}')}"


def may_use(session_id: str, owner: str) -> bool:
    """Return False for an id of `own_session_id` that has another owner. No secret is needed to see that."""
    found = REPEATABLE_ID.fullmatch(session_id)
    return found is None or found[2] == mark(f"{found[1]}/{owner}")


def mark(text: str) -> str:
    return encoded(hashlib.sha256(text.encode(errors="surrogatepass")).digest())[:MARK_CHARS]


def encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def made_for(session_id: str, customer_id: str, speaker: SpeakerKeys) -> bool:
    """Return whether a gateway of this mesh has made the id for this customer."""
    if MADE_ID.fullmatch(session_id) is None:
        return False
    name, _, tag = session_id.rpartition(".")
    return speaker.has_tag(f"{name}/{customer_id}", tag)


def public_part(session_id: str) -> str:
    """Return the part of an id that may stand in logs, spans and metrics. An id that a client chose is no secret."""
    found = MADE_ID.fullmatch(session_id)
    return found[1] if found else session_id


def is_public_part(text: str) -> bool:
    """Return whether a text may be the public part of an id that the gateway has made."""
    return re.fullmatch(PUBLIC_PART, text) is not None
