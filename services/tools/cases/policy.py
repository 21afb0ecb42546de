"""What may be done with a case, and what is told of the open ones. Pure."""

from datetime import timedelta

from services.tools.cases.contract import Case, CasePage
from services.tools.refusal import NOT_FOUND, Refusal

OPEN_MAX = 10_000
CLOSED_KEPT_FOR = timedelta(days=90)


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
