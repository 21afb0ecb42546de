"""Handlers of transfers: recipient lookup, immediate transfers, and the execution of scheduled ones."""

import restate

from services.tools.bank.accounts.contract import CHECK_WITHDRAWAL, CHECKED_MOVE
from services.tools.bank.lookups import BankRecords
from services.tools.bank.transfers import plan, policy
from services.tools.bank.transfers.contract import (
    CARRY_OUT,
    CARRY_OUT_ORDER,
    CHECK_TRANSFER,
    END_TRANSFER,
    FIND_RECIPIENT,
    MOVE_BETWEEN_OWN_ACCOUNTS,
    RESOLVE_TRANSFER,
    TRANSFER_MONEY,
    TRANSFERS,
    NoOutput,
    OwnTransferFacts,
    OwnTransferRequest,
    Recipient,
    RecipientQuery,
    ResolvedTransfer,
    ScheduledTransferOrder,
    TransferFacts,
    TransferOrder,
    Transferred,
    TransferRequest,
    TransferResult,
    UnfinishedTransfer,
)
from services.tools.bank.transfers.customer_lookups import owner, payer_and_recipient, recipients
from services.tools.bank.transfers.execution import settle, transfer
from services.tools.bank.transfers.policy import Order
from switchboard import checks, implements
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.rpc import allowed, call_tool, notify_customer


def transfers_service(records: BankRecords) -> restate.Service:
    """Build the service. `records` has the customers of this bank and their accounts."""
    transfers = tool_service(TRANSFERS, "Transfers of money between accounts, at this bank and to others.")
    add_tools(transfers, records)
    add_orders(transfers, records)
    return transfers


def add_tools(transfers: restate.Service, records: BankRecords) -> None:
    """Add the tools for customers."""

    @implements(transfers, FIND_RECIPIENT)
    async def find_recipient(ctx: restate.Context, query: RecipientQuery) -> Recipient:
        """Return the matching customer. Raises TerminalError 404 if there is no single match."""
        return allowed(policy.find_recipient(await recipients(ctx, records, query), query))

    @checks(transfers, TRANSFER_MONEY)
    async def check_transfer_money(ctx: restate.Context, request: TransferRequest) -> TransferFacts:
        """Return what the transfer would do. Raises the errors of `transfer_money`."""
        order = await allowed_order(ctx, records, request, checking=True)
        await call_tool(ctx, CHECK_WITHDRAWAL, order.withdrawal(CHECKED_MOVE), order.payer.customer_id)
        found = policy.resolved_transfer(order, request)
        return TransferFacts(call=request.model_copy(update=found.fields), payee_bank=found.payee_bank)

    @implements(transfers, TRANSFER_MONEY)
    async def transfer_money(ctx: restate.Context, request: TransferRequest) -> Transferred:
        """Send money to another person. Raises TerminalError 404, 409 or 422, with the reason, if it was not sent."""
        return await checked_transfer(ctx, records, request)

    @checks(transfers, MOVE_BETWEEN_OWN_ACCOUNTS)
    async def check_own_transfer(ctx: restate.Context, request: OwnTransferRequest) -> OwnTransferFacts:
        """Return the accounts of the transfer. Raises the errors of `move_between_own_accounts`."""
        order = allowed(policy.validate_own_transfer(await owner(ctx, records, request), request))
        await call_tool(ctx, CHECK_WITHDRAWAL, order.withdrawal(CHECKED_MOVE), order.payer.customer_id)
        return policy.own_transfer_facts(order, request)

    @implements(transfers, MOVE_BETWEEN_OWN_ACCOUNTS)
    async def move_between_own_accounts(ctx: restate.Context, request: OwnTransferRequest) -> Transferred:
        """Move money between a customer's own accounts. Raises TerminalError as `transfer_money` does."""
        order = allowed(policy.validate_own_transfer(await owner(ctx, records, request), request))
        return await transfer(ctx, order)


def add_orders(transfers: restate.Service, records: BankRecords) -> None:
    """Add the internal handlers: execute scheduled and recurring transfers, and settle interrupted ones."""

    @implements(transfers, CARRY_OUT)
    async def carry_out(ctx: restate.Context, request: ScheduledTransferOrder) -> NoOutput:
        """Make a scheduled transfer and notify the customer of the result."""
        try:
            notice = plan.made((await checked_transfer(ctx, records, request)).summary)
        except restate.TerminalError as error:
            notice = plan.failed(request, error.message)
        notify_customer(ctx, request.session_id, request.customer_id, notice)
        return NoOutput()

    @implements(transfers, CHECK_TRANSFER)
    async def check_transfer(ctx: restate.Context, request: TransferOrder) -> NoOutput:
        """Check a transfer that is to be made later. Raises TerminalError 404 or 409 if it is not allowed."""
        await allowed_order(ctx, records, request)
        return NoOutput()

    @implements(transfers, RESOLVE_TRANSFER)
    async def resolve_transfer(ctx: restate.Context, request: TransferOrder) -> ResolvedTransfer:
        """Return what a transfer would do. Raises TerminalError 404 or 409 if it is not allowed."""
        return policy.resolved_transfer(await allowed_order(ctx, records, request, checking=True), request)

    @implements(transfers, CARRY_OUT_ORDER)
    async def carry_out_order(ctx: restate.Context, request: TransferOrder) -> TransferResult:
        """Make one transfer of a standing order. A failure is returned and not raised, because the order continues."""
        try:
            return TransferResult(made=True, told=(await checked_transfer(ctx, records, request)).summary)
        except restate.TerminalError as error:
            return TransferResult(made=False, told=error.message)

    @implements(transfers, END_TRANSFER)
    async def end_transfer(ctx: restate.Context, request: UnfinishedTransfer) -> NoOutput:
        """Settle an interrupted transfer, and send the outcome to the transfer that waits for it."""
        ctx.resolve_awakeable(request.tell, await settle(ctx, request))
        return NoOutput()


async def checked_transfer(ctx: restate.Context, records: BankRecords, request: TransferOrder) -> Transferred:
    """Make a transfer to another person. All rules are checked now, even if the transfer was ordered earlier."""
    return await transfer(ctx, await allowed_order(ctx, records, request))


async def allowed_order(
    ctx: restate.Context, records: BankRecords, request: TransferOrder, checking: bool = False
) -> Order:
    """Return the valid transfer. Raises TerminalError if it is impossible or against the policy."""
    order = allowed(policy.validate_transfer(await payer_and_recipient(ctx, records, request), request))
    await enforce_policy(ctx, "transfer", policy.refuse_transfer(order), checking=checking)
    return order
