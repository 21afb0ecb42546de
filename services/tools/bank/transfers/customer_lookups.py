"""Looks up the customers of a transfer, so that the policy can validate it without lookups."""

from services.tools.bank.accounts.contract import IBAN
from services.tools.bank.lookups import BankRecords, LookupContext
from services.tools.bank.records import Customer
from services.tools.bank.transfers.contract import OwnTransferRequest, RecipientQuery, TransferOrder, normalized
from services.tools.bank.transfers.policy import Customers


async def recipients(ctx: LookupContext, records: BankRecords, query: RecipientQuery) -> Customers:
    """Return the customers whom the query may mean, by id."""
    named = await records.customers_named(ctx, query.recipient_name or query.recipient)
    wanted = normalized(query.recipient)
    holder = await records.account_holder(ctx, wanted) if IBAN.fullmatch(wanted) else None
    return by_id(*named, holder)


async def payer_and_recipient(ctx: LookupContext, records: BankRecords, request: TransferOrder) -> Customers:
    """Return the payer and, if it is a customer of this bank, the recipient, by id."""
    payer = await records.customer(ctx, request.customer_id)
    find = records.account_holder if IBAN.fullmatch(request.recipient) else records.customer
    return by_id(payer, await find(ctx, request.recipient))


async def owner(ctx: LookupContext, records: BankRecords, request: OwnTransferRequest) -> Customers:
    """Return the owner of both accounts, by id."""
    return by_id(await records.customer(ctx, request.customer_id))


def by_id(*found: Customer | None) -> Customers:
    return {customer.customer_id: customer for customer in found if customer is not None}
