"""Stemming: forms of one word share a stem, different words do not."""

import pytest

from switchboard.stems import stem


@pytest.mark.parametrize(
    "words",
    [
        "change changes changed changing",
        "book books booked booking bookings",
        "baby babies",
        "apply applies applied applying",
        "reserve reserves reserved reservation reservations",
        "cancel cancels cancelled cancelling cancellation",
        "pay pays paid paying",
        "fly flies flew flown flying",
        "class classes",
        "stop stopped stopping",
        "allow allowed allowance",
        "child children",
    ],
)
def test_stem_is_equal_for_forms_of_one_word(words: str) -> None:
    assert len({stem(word) for word in words.split()}) == 1


@pytest.mark.parametrize("words", ["status stat", "bus busy", "gas gate", "station stage", "ring red"])
def test_stem_differs_for_different_words(words: str) -> None:
    assert len({stem(word) for word in words.split()}) == 2
