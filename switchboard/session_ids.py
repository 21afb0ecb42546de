"""Ids of sessions that the gateway makes. A customer who has not signed in can use no others.

Before sign-in, a token only claims who the customer is. The id of such a session gives access to it, and to what the
customer was told after verifying their identity. So the id is a secret of 128 bits. It has a tag, which proves that the
gateway made it for this customer. Logs, spans and metrics show only its public part.
"""

import re
import secrets

from switchboard.speaker import SpeakerKeys

PUBLIC_BYTES = 6
SECRET_BYTES = 16

PUBLIC_PART = r"g-[A-Za-z0-9_-]{8}"
MADE_ID = re.compile(rf"({PUBLIC_PART})\.([A-Za-z0-9_-]{{22}})\.([A-Za-z0-9_-]{{22}})")
"""Public part, secret, and tag."""


def make_session_id(customer_id: str, speaker: SpeakerKeys | None) -> str:
    """Return a new id for a session of this customer. In a mesh without keys, its tag proves nothing."""
    name = f"g-{secrets.token_urlsafe(PUBLIC_BYTES)}.{secrets.token_urlsafe(SECRET_BYTES)}"
    return f"{name}.{speaker.tag(f'{name}/{customer_id}') if speaker else secrets.token_urlsafe(SECRET_BYTES)}"


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
