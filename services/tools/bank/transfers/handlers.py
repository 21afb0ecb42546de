"""Serves transfers: who may be sent money, transfers that are asked for now, and those whose day has come."""

import restate

from services.tools.bank.lookups import BankRecords
from services.tools.bank.transfers import plan, policy
from services.tools.bank.transfers.contract import (
    CARRY_OUT,
    CARRY_OUT_ORDER,
    END_TRANSFER,
    FIND_RECIPIENT,
    JUDGE_TRANSFER,
    MOVE_BETWEEN_OWN_ACCOUNTS,
    TRANSFER_MONEY,
    TRANSFERS,
    CarriedOut,
    Nothing,
    OwnTransferRequest,
    Recipient,
    RecipientQuery,
    ScheduleRequest,
    Transferred,
    TransferRequest,
    Unfinished,
)
from services.tools.bank.transfers.execution import bring_to_an_end, transfer
from services.tools.bank.transfers.parties import owner, parties, recipients
from switchboard import implements
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.rpc import allowed, notify


def transfers_service(records: BankRecords) -> restate.Service:
    """Build the service; `records` knows who has which account at this bank."""
    transfers = tool_service(TRANSFERS, "Transfers of money between accounts, at this bank and to others.")
    add_tools(transfers, records)
    add_orders(transfers, records)
    return transfers


def add_tools(transfers: restate.Service, records: BankRecords) -> None:
    """Add what a customer asks for now."""

    @implements(transfers, FIND_RECIPIENT)
    async def find_recipient(ctx: restate.Context, query: RecipientQuery) -> Recipient:
        """The customer who is meant. TerminalError 404 when that is nobody, or not sure."""
        return allowed(policy.find_recipient(await recipients(ctx, records, query), query))

    @implements(transfers, TRANSFER_MONEY)
    async def transfer_money(ctx: restate.Context, request: TransferRequest) -> Transferred:
        """Send money to somebody. TerminalError 404, 409 and 422, with the reason, when it was not sent."""
        return await judged_transfer(ctx, records, request)

    @implements(transfers, MOVE_BETWEEN_OWN_ACCOUNTS)
    async def move_between_own_accounts(ctx: restate.Context, request: OwnTransferRequest) -> Transferred:
        """Move money between a customer's own accounts. TerminalError as for `transfer_money`."""
        order = allowed(policy.judge_own_transfer(await owner(ctx, records, request), request))
        return await transfer(ctx, order)


def add_orders(transfers: restate.Service, records: BankRecords) -> None:
    """Add what other services ask for: transfers that were put off, and the end of one that was stopped."""

    @implements(transfers, CARRY_OUT)
    async def carry_out(ctx: restate.Context, request: ScheduleRequest) -> Nothing:
        """Not a tool: make a scheduled transfer, and tell the customer how that went."""
        try:
            told = plan.made((await judged_transfer(ctx, records, request)).summary)
        except restate.TerminalError as error:
            told = plan.failed(request, error.message)
        notify(ctx, request.session_id, request.customer_id, told)
        return Nothing()

    @implements(transfers, JUDGE_TRANSFER)
    async def judge_transfer(ctx: restate.Context, request: TransferRequest) -> Nothing:
        """Not a tool: judge a transfer that is kept for later. TerminalError 404 and 409 when it may not be made."""
        order = allowed(policy.judge_transfer(await parties(ctx, records, request), request))
        await enforce_policy(ctx, "transfer", policy.refuse_transfer(order))
        return Nothing()

    @implements(transfers, CARRY_OUT_ORDER)
    async def carry_out_order(ctx: restate.Context, request: TransferRequest) -> CarriedOut:
        """Not a tool: make one transfer of a standing order; a refusal is an answer, for the order goes on."""
        try:
            return CarriedOut(made=True, told=(await judged_transfer(ctx, records, request)).summary)
        except restate.TerminalError as error:
            return CarriedOut(made=False, told=error.message)

    @implements(transfers, END_TRANSFER)
    async def end_transfer(ctx: restate.Context, request: Unfinished) -> Nothing:
        """Not a tool: bring a transfer that was stopped to one of its two ends, and say which."""
        ctx.resolve_awakeable(request.tell, await bring_to_an_end(ctx, request))
        return Nothing()


async def judged_transfer(ctx: restate.Context, records: BankRecords, request: TransferRequest) -> Transferred:
    """A transfer to somebody else, with all rules; by the state of its moment, whenever it was ordered."""
    order = allowed(policy.judge_transfer(await parties(ctx, records, request), request))
    await enforce_policy(ctx, "transfer", policy.refuse_transfer(order))
    return await transfer(ctx, order)
