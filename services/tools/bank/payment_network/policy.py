"""What the other banks of the demo refuse. Pure."""

from services.tools.bank.payment_network.contract import OutsidePayment
from switchboard.toolkit.refusal import Refusal

CLOSED_ACCOUNTS = frozenset({"FR1420041010050500013M02606", "NL91ABNA0417164300"})
"""IBANs that are right and whose accounts are closed: the demo's way to see a payment come back."""

UNPROCESSABLE = 422


def refuse_payment(payment: OutsidePayment) -> Refusal | None:
    if payment.iban in CLOSED_ACCOUNTS:
        return Refusal("The recipient's bank refuses the payment: the account is closed.", UNPROCESSABLE)
    return None
