"""The door of every tool that shows or does what is a customer's own: nobody passes who is not known to be them."""

import restate

from services.tools.call import allowed, ask
from services.tools.identity import policy
from services.tools.identity.contract import IS_PROVEN, PersonalInput, SessionRef


async def admit(ctx: restate.Context, customer_id: str, request: PersonalInput) -> None:
    """Go on for a customer who is signed in, or has proven in this session who they are. Else TerminalError 401.

    The first thing that such a handler does. It may be asked while an object's lock is held: `is_proven` is a shared
    handler, which waits for no lock and calls nobody, so nothing can come to wait for itself.
    """
    allowed(policy.refuse_unproven(await is_known(ctx, customer_id, request)))


async def is_known(ctx: restate.Context, customer_id: str, request: PersonalInput) -> bool:
    """Whether `admit` would go on; for what is done for anybody, but not for anybody alike."""
    if request.signed_in:
        return True
    return (await ask(ctx, IS_PROVEN, SessionRef(session_id=request.session_id), customer_id)).proven
