"""What a customer can pay with, and what was charged and given back: balances follow from the charges. Pure."""

from collections.abc import Mapping
from decimal import Decimal

from pydantic import Field

from services.tools.demo_data.airline import CustomerData, PaymentMeansData
from services.tools.payments.contract import NOTHING, ChargeMeans, Means, MeansList, Refund
from switchboard.messages import Wire
from switchboard.money import Money, spell

CHARGES_MAX = 500
"""Charges of one customer that are kept. Those given back whole make room, the oldest first."""


class ChargeRecord(Wire):
    """A charge, and what of it was given back; `settled` once it was given back, all or in part."""

    means_id: str
    amount: Money
    refunded: Money = NOTHING
    settled: bool = False

    @property
    def spent(self) -> Decimal:
        return self.amount - self.refunded


class Wallet(Wire):
    """All charges of a customer by their ids, the oldest first."""

    charges: dict[str, ChargeRecord] = Field(default_factory=dict)

    def spent(self, means_id: str) -> Decimal:
        return sum((charge.spent for charge in self.charges.values() if charge.means_id == means_id), Decimal())

    def with_charge(self, charge_id: str, charge: ChargeRecord) -> "Wallet":
        return Wallet(charges=roomy(self.charges | {charge_id: charge}))


def is_full(wallet: Wallet) -> bool:
    """Whether there is no room for another charge."""
    return len(wallet.charges) >= CHARGES_MAX and all(charge.spent for charge in wallet.charges.values())


def roomy(charges: Mapping[str, ChargeRecord]) -> dict[str, ChargeRecord]:
    """Without the oldest of those that cost nothing any more, where there are too many."""
    excess = max(0, len(charges) - CHARGES_MAX)
    over = [charge_id for charge_id, charge in charges.items() if not charge.spent][:excess]
    return {charge_id: charge for charge_id, charge in charges.items() if charge_id not in over}


def available(means: PaymentMeansData, wallet: Wallet) -> Decimal | None:
    """What is left on it; None where only the card processor knows."""
    return None if means.kind == "credit_card" else means.value - wallet.spent(means.means_id)


def list_means(customer: CustomerData | None, wallet: Wallet) -> MeansList:
    """The customer's means; an unknown customer has none."""
    found = tuple(
        Means(
            means_id=means.means_id,
            kind=means.kind,
            label=means.label,
            currency=means.currency,
            available=available(means, wallet),
        )
        for means in (customer.payment_means if customer else ())
    )
    told = "; ".join(sentence(means) for means in found)
    return MeansList(summary=f"You can pay with: {told}." if told else "You have no means to pay with.", means=found)


def sentence(means: Means) -> str:
    if means.available is None:
        return f"{means.label} ({means.means_id})"
    if not means.available:
        return f"{means.label} {means.means_id}, used up"
    worth = spell(means.available, means.currency)
    return f"{means.label} {means.means_id} {'worth' if means.kind == 'certificate' else 'with'} {worth}"


def record(wallet: Wallet, request: ChargeMeans) -> Wallet:
    """The wallet with that charge, once for each id."""
    if request.charge_id in wallet.charges:
        return wallet
    return wallet.with_charge(request.charge_id, ChargeRecord(means_id=request.means_id, amount=request.amount))


def give_back(wallet: Wallet, request: Refund) -> Wallet:
    """The wallet with that charge given back but for what is kept, once; the same when it was never made."""
    charge = wallet.charges.get(request.charge_id)
    if charge is None or charge.settled:
        return wallet
    refunded = max(NOTHING, charge.amount - request.kept)
    settled = charge.model_copy(update={"refunded": refunded, "settled": True})
    return wallet.with_charge(request.charge_id, settled)
