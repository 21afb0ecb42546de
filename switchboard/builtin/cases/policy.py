"""What may be done with a case, and what is told of the open ones. Pure."""

from datetime import timedelta

from switchboard.builtin.cases.contract import (
    OPEN_OF_CUSTOMER_MAX,
    OPEN_OF_SESSION_MAX,
    OPEN_UNVERIFIED_MAX,
    Case,
    CasePage,
)
from switchboard.messages import WireModel
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

OPEN_MAX = 10_000
"""Of all customers."""

CLOSED_KEPT_FOR = timedelta(days=90)

IN_HAND = "Our staff have this customer's cases in hand already"


class OpenCase(WireModel):
    """What has to be known of an open case to judge the next one."""

    case_id: str
    session_id: str
    verified: bool


class OpenCases(WireModel):
    """The open cases that go by one customer's name, oldest first."""

    cases: tuple[OpenCase, ...] = ()

    def with_case(self, case: Case) -> "OpenCases":
        kept = OpenCase(case_id=case.case_id, session_id=case.session_id, verified=case.verified)
        return OpenCases(cases=(*self.cases, kept))

    def without(self, case_id: str) -> "OpenCases":
        return OpenCases(cases=tuple(one for one in self.cases if one.case_id != case_id))


def refuse_opening(case: Case, of_customer: OpenCases, open_total: int, unverified_total: int) -> Refusal | None:
    """Whether staff take one more case. Who has one in hand is told so; a stranger is told no id of another's."""
    own = [one.case_id for one in of_customer.cases if one.session_id == case.session_id]
    if len(own) >= OPEN_OF_SESSION_MAX:
        return Refusal(f"{IN_HAND}: {', '.join(own)}. Tell the customer so, and open no further one.")
    alike = [one.case_id for one in of_customer.cases if one.verified == case.verified]
    if len(alike) >= OPEN_OF_CUSTOMER_MAX:
        which = f": {', '.join(alike)}" if case.verified else ""
        return Refusal(f"{IN_HAND}{which}. Tell the customer so, and open no further one.")
    if open_total >= OPEN_MAX or (not case.verified and unverified_total >= OPEN_UNVERIFIED_MAX):
        sign_in = "" if case.verified else " Who signs in, or proves who they are, may still be heard."
        return Refusal(f"Our staff have too many open cases just now. Try again later.{sign_in}")
    return None


def refuse_closing(case_id: str, case: Case | None) -> Refusal | None:
    """Only an open case can be closed, and once."""
    if case is None:
        return Refusal(f"There is no case {case_id!r}. List the open ones, and take an id from there.", NOT_FOUND)
    if case.closed_at is not None:
        return Refusal(f"{case_id} was closed by {case.closed_by} before: {case.outcome}")
    return None


def closing_notice(case: Case, known: bool) -> str:
    """What is written into the session of a closed case; `known` says whether it is the customer who reads there."""
    if known:
        return f"Our staff have closed your case {case.case_id}: {case.outcome}"
    return (
        f"Our staff have closed your case {case.case_id}. What came of it is told only to who is known to be the"
        " customer: sign in, and ask for our staff."
    )


def page(cases: tuple[Case, ...], total: int) -> CasePage:
    """A page of the open cases, with a sentence on all of them."""
    summary = f"{total} {'case is' if total == 1 else 'cases are'} open." if total else "No case is open."
    return CasePage(summary=summary, cases=cases, open_total=total)
