"""Random values for the inputs and facts of tools, by their types. For property tests."""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from services.tools.airline.reservations.contract import TravelDay
from services.tools.bank.accounts.contract import ACCOUNT_ID, IBAN
from services.tools.bank.transfers.contract import RecipientId
from switchboard.builtin.calendar.contract import When
from switchboard.money import Currency
from switchboard.text import PlainText, one_line


def flat(marks: Iterable[Any]) -> Iterator[Any]:
    """Yield the marks of a type, with those inside `Field(...)`."""
    for mark in marks:
        yield from (mark.metadata if isinstance(mark, FieldInfo) else (mark,))


def pattern_of(annotation: Any) -> str | None:
    found = (getattr(mark, "pattern", None) for mark in flat(get_args(annotation)[1:]))
    return next((pattern for pattern in found if pattern), None)


ACCOUNT_PATTERN = f"^(?:{ACCOUNT_ID}|{IBAN.pattern})$"

IBANS = (
    "DE20370400440532014242",
    "DE73100100109999994242",  # Its end is that of the one above.
    "DE89370400440532013000",
    "FR7630006000011234567890189",
    "GB29NWBK60161331926819",
)
PATTERNS = {
    pattern_of(TravelDay): st.sampled_from(("2026-12-04", "2026-12-05", "1990-01-01", "1990-01-10")),
    pattern_of(Currency): st.sampled_from(("EUR", "USD", "JPY")),
    ACCOUNT_PATTERN: st.sampled_from(("checking", "savings", "checking-usd", *IBANS)),
    pattern_of(RecipientId): st.sampled_from((*IBANS, "bob", "carol", "DE20")),
    pattern_of(When): st.sampled_from(
        ("monday", "friday", "2026-12-04", "2026-12-05", "2026-12-04T08:00:00Z", "2026-12-04T08:00:01Z")
    ),
}
"""Values of texts that need more than to match a pattern."""

SPECIAL: dict[Any, st.SearchStrategy[Any]] = {
    AwareDatetime: st.integers(0, 10**8).map(
        lambda seconds: dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    ),
    Any: st.integers(0, 9),
    JsonValue: st.integers(0, 9),
    bool: st.booleans(),
    dt.date: st.dates(min_value=dt.date(2026, 1, 1), max_value=dt.date(2027, 12, 31)),
    dt.datetime: st.integers(0, 10**8).map(
        lambda seconds: dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    ),
    dt.time: st.integers(0, 86_399).map(lambda seconds: dt.time(seconds // 3600, seconds // 60 % 60, seconds % 60)),
    dt.timedelta: st.integers(0, 10**6).map(lambda seconds: dt.timedelta(seconds=seconds)),
    float: st.integers(0, 10**6).map(float),
    NoneType: st.none(),
    Decimal: st.integers(1, 10**7).map(lambda cents: Decimal(cents) / 100),
    int: st.integers(0, 60),
}

LETTERS = "aZ ü.,'’&()+/?:-1\n\u200d\u202e“\""


def values(annotation: Any, marks: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Return a strategy for raw values of a type. Some may be invalid."""
    if annotation in SPECIAL:
        return SPECIAL[annotation]
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return values(inner, (*marks, *more))
    if origin is Literal:
        return st.sampled_from(get_args(annotation))
    if origin in (Union, UnionType):
        return st.one_of(*(values(choice, marks) for choice in get_args(annotation)))
    if origin in (tuple, dict, Mapping):
        return collections(origin, get_args(annotation))
    if annotation is str:
        return texts(marks)
    return instances(annotation)


def collections(origin: Any, parts: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin is not tuple:
        return st.dictionaries(*map(values, parts), max_size=2)
    if len(parts) > 1 and parts[1] is not ...:
        return st.tuples(*map(values, parts))
    return st.lists(values(parts[0]), min_size=1, max_size=3).map(tuple)


def instances(annotation: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for a class with fields, or for a type parameter, which may be anything."""
    if isinstance(annotation, TypeVar):
        return st.integers(0, 9)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return models(annotation)
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        fields = get_type_hints(annotation, include_extras=True)
        return st.builds(annotation, **{name: values(kind) for name, kind in fields.items()})
    raise AssertionError(f"add a strategy for {annotation!r}")


def texts(marks: tuple[Any, ...]) -> st.SearchStrategy[str]:
    pattern = pattern_of(Annotated[(str, *marks)]) if marks else None
    plain = [mark for mark in flat(marks) if isinstance(mark, PlainText)]
    if plain:
        return st.text(alphabet=LETTERS, max_size=8).map(lambda text: "B" + text if plain[0].names else text)
    if pattern is None:
        return st.text(alphabet='abc XYZ-1“"', min_size=1, max_size=8).map(one_line)
    return PATTERNS[pattern] if pattern in PATTERNS else st.from_regex(pattern, fullmatch=True)


def models(model: type[BaseModel], fixed: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """Return a strategy for valid instances of a model. `fixed` fields always have these values."""
    fixed = fixed or {}
    fields = {
        name: each if field.is_required() else st.one_of(st.just(...), each)
        for name, field in model.model_fields.items()
        if name not in fixed
        for each in (values(annotation_of(field)),)
    }

    def build(raw: dict[str, Any]) -> Any:
        given = {name: value for name, value in raw.items() if value is not ...}
        try:
            return model.model_validate(given | fixed)
        except (ValidationError, ArithmeticError):
            return None

    return st.fixed_dictionaries(fields).map(build).filter(lambda built: built is not None)


def annotation_of(field: FieldInfo) -> Any:
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def texts_of(annotation: Any, marks: tuple[Any, ...] = ()) -> Iterator[TypeAdapter[Any]]:
    """Yield a validator for each `str` in a type, at any depth."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        yield from texts_of(inner, (*marks, *more))
    elif annotation is str:
        yield TypeAdapter(Annotated[(str, *marks)] if marks else str)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for field in annotation.model_fields.values():
            yield from texts_of(annotation_of(field))
    elif origin is not Literal:
        for part in get_args(annotation):
            yield from texts_of(part, marks if origin in (Union, UnionType) else ())
