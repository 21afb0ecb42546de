"""Conversations that `make demo` plays and checks. docs/start/index.md shows the same ones."""

from switchboard.testing.scenes import LAST_MONTH, Says, Scene

AMOUNT = r"[\d,]+\.\d\d EUR"
BALANCE = r"2,431\.80 EUR in Checking and 8,150\.00 EUR in Savings"
LOANS = rf"2 loans and 1 credit line; {AMOUNT} outstanding"

SCENES = (
    Scene(
        "A question goes to the agent who can answer it",
        customer="alice",
        session="alice-bank",
        says=(
            Says("how much is my balance?", (BALANCE,), agent="Bank"),
            Says(
                "how much did I spend on gambling last month?",
                (rf"190\.50 EUR on gambling in {LAST_MONTH}",),
                agent="Bank",
            ),
            Says("give me an overview of my outstanding loans and credit", (LOANS,), agent="Bank"),
        ),
        emails=0,
    ),
    Scene(
        "A tool with an effect: exactly one e-mail is sent",
        customer="alice",
        session="alice-trip",
        says=(
            Says(
                "can you send me an invoice for booking AB4568?",
                (r"INV-AB4568 for 289\.40 USD was sent to a\*\*\*@example\.com",),
                agent="Airline",
            ),
        ),
        emails=1,
    ),
    Scene(
        "The agent asks for a missing detail and remembers it",
        customer="alice",
        session="alice-seat",
        says=(
            Says("can you change my seat to 10b?", (r"confirmation number",), agent="Airline"),
            Says("AB4568", (r"SB245", r"is now 10B"), agent="Airline"),
            Says("and what is my balance?", (BALANCE,), agent="Bank"),
        ),
        emails=1,
    ),
    Scene(
        "A question about the travel rules",
        customer="alice",
        session="alice-trip",
        says=(Says("how much can my bag weigh?", (r"23 kg",), agent="Airline"),),
        emails=1,
    ),
    Scene(
        "Three tools run in parallel",
        customer="alice",
        session="alice-bank",
        says=(
            Says(
                "what is my balance, how much did I spend on groceries last month and which loans do I have?",
                (BALANCE, rf"{AMOUNT} on groceries in {LAST_MONTH}", LOANS),
                agent="Bank",
                tools_at_once=3,
            ),
        ),
        emails=1,
    ),
    Scene(
        "Binding actions need a yes; staff decide on large loans",
        customer="alice",
        session="alice-loan",
        says=(
            Says("I want to apply for a loan of 8000 EUR over 48 months", (r"tell me the purpose",), agent="Bank"),
            Says(
                "a new kitchen", (r"^Please confirm, with yes or no: Apply for a loan of 8,000\.00 EUR",), agent="Bank"
            ),
            Says("yes", (r"was received: 48 monthly payments of 191\.20 EUR",), agent="Bank"),
            Says("and what is my balance?", (BALANCE,), agent="Bank"),
        ),
        emails=1,
    ),
    Scene(
        "A card is frozen immediately",
        customer="alice",
        session="alice-card",
        says=(
            Says(
                "freeze my debit card",
                (r"debit card ending in 4417 \(CD-4417\) is frozen",),
                agent="Bank",
            ),
        ),
        emails=1,
    ),
    Scene(
        "Unauthenticated customers verify two facts first",
        customer="alice",
        session="alice-guest",
        signed_in=False,
        says=(
            Says("how much is my balance?", (r"^You are not signed in",), agent="Bank"),
            Says(
                "my date of birth is 1988-04-17, my e-mail is alice@example.com",
                (r"you're verified",),
                agent="Bank",
            ),
            Says("how much is my balance?", (BALANCE,), agent="Bank"),
        ),
        emails=1,
    ),
    Scene(
        "Another customer's booking: the tool denies access",
        customer="bob",
        session="bob",
        says=(Says("please send me an invoice for booking AB4568", (r"no booking AB4568",), agent="Airline"),),
        emails=1,
    ),
    Scene(
        "Another customer's session: the session denies access",
        customer="bob",
        session="alice-bank",
        says=(Says("how much is my balance?", (r"belongs to another customer",), refused=403),),
        emails=1,
    ),
)
