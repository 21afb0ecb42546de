"""Forms of one English word have one stem, and different words do not."""

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
    ],
)
def test_forms_of_a_word_have_one_stem(words: str) -> None:
    assert len({stem(word) for word in words.split()}) == 1


@pytest.mark.parametrize("words", ["status stat", "bus busy", "gas gate", "station stage", "ring red"])
def test_different_words_have_different_stems(words: str) -> None:
    assert len({stem(word) for word in words.split()}) == 2
