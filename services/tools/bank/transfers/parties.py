"""Looks up the customers whom a transfer concerns, so that its policy can judge it without looking up anything."""

from services.tools.bank.accounts.contract import IBAN
from services.tools.bank.lookups import BankRecords, LookupContext
from services.tools.bank.records import Customer
from services.tools.bank.transfers.contract import OwnTransferRequest, RecipientQuery, TransferRequest, canonical
from services.tools.bank.transfers.policy import Customers


async def recipients(ctx: LookupContext, records: BankRecords, query: RecipientQuery) -> Customers:
    """Return by id the customers whom the query may mean."""
    named = await records.customers_named(ctx, query.recipient_name or query.recipient)
    wanted = canonical(query.recipient)
    holder = await records.account_holder(ctx, wanted) if IBAN.fullmatch(wanted) else None
    return by_id(*named, holder)


async def parties(ctx: LookupContext, records: BankRecords, request: TransferRequest) -> Customers:
    """Return by id the payer and, when at this bank, the recipient."""
    payer = await records.customer(ctx, request.customer_id)
    find = records.account_holder if IBAN.fullmatch(request.recipient) else records.customer
    return by_id(payer, await find(ctx, request.recipient))


async def owner(ctx: LookupContext, records: BankRecords, request: OwnTransferRequest) -> Customers:
    """Return the customer by id."""
    return by_id(await records.customer(ctx, request.customer_id))


def by_id(*found: Customer | None) -> Customers:
    return {customer.customer_id: customer for customer in found if customer is not None}
