"""Whether one of a customer's means can pay an amount: the rules that payments keep, whoever asks. Pure."""

from decimal import Decimal

from services.tools.demo_data.airline import AirlineData, CustomerData, PaymentMeansData
from services.tools.payments.contract import Authorise, ChargeMeans
from services.tools.refusal import NOT_FOUND, Refusal
from switchboard.money import spell

PAYMENT_REQUIRED = 402


def own_means(customer: CustomerData | None, means_id: str) -> PaymentMeansData | Refusal:
    """The customer's means of that id. One refusal for another's and for nobody's: no leak."""
    theirs = customer.payment_means if customer else ()
    names = ", ".join(means.means_id for means in theirs) or "none"
    refusal = Refusal(f"There is no {means_id} among your means to pay. Yours: {names}.", NOT_FOUND)
    return next((means for means in theirs if means.means_id == means_id), refusal)


def refuse_charge(means: PaymentMeansData, available: Decimal | None, request: ChargeMeans) -> Refusal | None:
    """A charge has to be in the means' currency and covered by it; a certificate is used whole."""
    if means.currency != request.currency:
        return Refusal(
            f"{means.label} {means.means_id} is in {means.currency}, and the price in {request.currency}."
            " Choose another means."
        )
    if available is None:
        return None
    if not available:
        return Refusal(f"{means.label} {means.means_id} is used up. Choose another means.")
    left = spell(available, means.currency)
    if means.kind == "certificate" and request.amount != available:
        return Refusal(f"{means.label} {means.means_id} is used whole: pay exactly {left} with it, or nothing.")
    if request.amount > available:
        return Refusal(f"There is only {left} left on {means.label.lower()} {means.means_id}. Pay less with it.")
    return None


def refuse_full(is_full: bool) -> Refusal | None:
    """What is kept of a customer has a limit."""
    return Refusal("You have too many open payments. Cancel a booking first.") if is_full else None


def refuse_card(data: AirlineData, request: Authorise) -> Refusal | None:
    """What the card processor says no to."""
    card = data.card(request.card_token)
    if card is None:
        return Refusal("The card processor does not know this card. Choose another means.", PAYMENT_REQUIRED)
    declined = data.declined(request.card_token)
    if declined:
        return Refusal(
            f"{card.label} ({card.means_id}) was declined: {declined.reason}. Choose another means.", PAYMENT_REQUIRED
        )
    return None
