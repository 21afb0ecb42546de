"""Ids that the gateway makes: secret, unforgeable, for one customer, and shown without their secret."""

import pytest

from switchboard.session.contract import session_id
from switchboard.session_ids import made_for, make_session_id, public_part
from switchboard.speaker import SpeakerKeys

OLD, NEW = SpeakerKeys(["o" * 32]), SpeakerKeys(["n" * 32, "o" * 32])


def test_made_id_is_valid_secret_and_different_each_time() -> None:
    made = [make_session_id("alice", NEW) for _ in range(1_000)]
    assert len({each.split(".")[1] for each in made}) == len(made)
    assert all(session_id(each) == each for each in made)
    # 22 characters of 6 bits hold 128 bits.
    assert {len(each.split(".")[1]) for each in made} == {22}


def test_made_id_is_for_one_customer_and_survives_a_rotation_of_keys() -> None:
    made = make_session_id("alice", OLD)
    assert made_for(made, "alice", OLD)
    assert made_for(made, "alice", NEW)
    assert not made_for(made, "bob", OLD)
    assert not made_for(made, "alice", SpeakerKeys(["n" * 32]))


@pytest.mark.parametrize("forged", ["s-1", "g-1", "g-AAAAAAAA", "", "..", "g-AAAAAAAA." + "A" * 22 + "." + "A" * 22])
def test_id_that_a_client_chose_is_not_a_made_one(forged: str) -> None:
    assert not made_for(forged, "alice", NEW)


def test_no_part_of_a_made_id_can_be_changed() -> None:
    made = make_session_id("alice", NEW)
    for place, character in enumerate(made):
        changed = made[:place] + ("A" if character != "A" else "B") + made[place + 1 :]
        assert not made_for(changed, "alice", NEW), place


def test_public_part_has_neither_secret_nor_tag() -> None:
    made = make_session_id("alice", NEW)
    public, secret, tag = made.split(".")
    assert public_part(made) == public
    assert secret not in public_part(made)
    assert tag not in public_part(made)
    assert public_part("chosen-by-a-client") == "chosen-by-a-client"


def test_mesh_without_keys_makes_ids_that_no_mesh_with_keys_accepts() -> None:
    assert not made_for(make_session_id("alice", None), "alice", NEW)
