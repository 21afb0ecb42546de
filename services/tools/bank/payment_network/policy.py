"""Payments that the other banks of the demo reject. Pure."""

from services.tools.bank.payment_network.contract import OutsidePayment
from switchboard.toolkit.refusal import Refusal

CLOSED_ACCOUNTS = frozenset({"FR1420041010050500013M02606", "NL91ABNA0417164300"})
"""Valid IBANs of closed accounts, with which the demo can show a rejected payment."""

UNPROCESSABLE = 422


def refuse_payment(payment: OutsidePayment) -> Refusal | None:
    if payment.iban in CLOSED_ACCOUNTS:
        return Refusal("The recipient's bank rejected the payment because the account is closed.", UNPROCESSABLE)
    return None
