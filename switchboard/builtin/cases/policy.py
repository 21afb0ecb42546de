"""Limits on open cases, and the texts about cases. Pure."""

from datetime import timedelta

from switchboard.builtin.cases.contract import (
    NOTES_MAX,
    OPEN_OF_CUSTOMER_MAX,
    OPEN_OF_SESSION_MAX,
    OPEN_UNVERIFIED_MAX,
    Case,
    CasePage,
)
from switchboard.messages import WireModel
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

OPEN_MAX = 10_000
"""Open cases of all customers."""

CLOSED_KEPT_FOR = timedelta(days=90)

IN_PROGRESS = "Our staff are already working on this customer's cases"


class OpenCase(WireModel):
    """The facts about an open case that the limits need."""

    case_id: str
    session_id: str
    verified: bool


class OpenCases(WireModel):
    """The open cases under one customer id, oldest first."""

    cases: tuple[OpenCase, ...] = ()

    def with_case(self, case: Case) -> "OpenCases":
        kept = OpenCase(case_id=case.case_id, session_id=case.session_id, verified=case.verified)
        return OpenCases(cases=(*self.cases, kept))

    def without(self, case_id: str) -> "OpenCases":
        return OpenCases(cases=tuple(one for one in self.cases if one.case_id != case_id))


def refuse_opening(case: Case, of_customer: OpenCases, open_total: int, unverified_total: int) -> Refusal | None:
    """Refuse a case above the limits. An unverified customer gets no ids of cases from other sessions."""
    own = [one.case_id for one in of_customer.cases if one.session_id == case.session_id]
    if len(own) >= OPEN_OF_SESSION_MAX:
        return Refusal(f"{IN_PROGRESS}: {', '.join(own)}. Tell the customer so and do not open another case.")
    alike = [one.case_id for one in of_customer.cases if one.verified == case.verified]
    if len(alike) >= OPEN_OF_CUSTOMER_MAX:
        which = f": {', '.join(alike)}" if case.verified else ""
        return Refusal(f"{IN_PROGRESS}{which}. Tell the customer so and do not open another case.")
    if open_total >= OPEN_MAX or (not case.verified and unverified_total >= OPEN_UNVERIFIED_MAX):
        sign_in = "" if case.verified else " Customers who sign in or verify their identity may still open a case."
        return Refusal(f"Our staff have too many open cases at the moment. Please try again later.{sign_in}")
    return None


def require_case(case_id: str, case: Case | None) -> Case | Refusal:
    """Refuse an unknown case."""
    if case is None:
        return Refusal(f"There is no case {case_id!r}. List the open cases and use one of their ids.", NOT_FOUND)
    return case


def require_open(case_id: str, case: Case | None) -> Case | Refusal:
    """Refuse to change an unknown case, or one that is already closed."""
    if case is not None and case.closed_at is not None:
        outcome = (case.outcome or "").rstrip(".")
        return Refusal(f"{case_id} was already closed by {case.closed_by}: {outcome}.")
    return require_case(case_id, case)


def require_room_for_note(case: Case | Refusal) -> Case | Refusal:
    """Refuse a note above the limit."""
    if isinstance(case, Case) and len(case.notes) >= NOTES_MAX:
        return Refusal(f"{case.case_id} already has {NOTES_MAX} notes. Close it and say in the outcome what was done.")
    return case


def closing_notice(case: Case, known: bool) -> str:
    """Return the notice for a closed case's session. `known` says whether the customer is verified there."""
    if known:
        return f"Our staff have closed your case {case.case_id}: {case.outcome}"
    return (
        f"Our staff have closed your case {case.case_id}. To protect your data, we share the outcome only after you"
        " sign in. Please sign in and ask for our staff."
    )


def page(cases: tuple[Case, ...], total: int) -> CasePage:
    """Return a page of open cases with a summary of all pages."""
    summary = f"{total} {'case is' if total == 1 else 'cases are'} open." if total else "No cases are open."
    return CasePage(summary=summary, cases=cases, open_total=total)
