"""Uuids that say which rule and profile a card came from, and nothing about the patient."""

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.identity import Identity, rule_of, uuid_of

KEY = b"one key for all replicas"
ABOUT = ("https://ehr.example.org", "cat-order-select", "d1577c69", "MedicationRequest/1", "content")
CARD = Identity(rule_number=4, profile_number=1, kind="card")

identities = st.builds(
    Identity,
    rule_number=st.integers(0, 4095),
    profile_number=st.integers(0, 255),
    kind=st.sampled_from(["card", "suggestion", "order"]),
    place=st.integers(0, 63),
)


@given(identity=identities, about=st.tuples(st.text(), st.text()), key=st.binary(min_size=1))
def test_it_is_a_version_8_uuid_in_bare_lower_case_and_reads_back(
    identity: Identity, about: tuple[str, ...], key: bytes
) -> None:
    uuid = uuid_of(identity, key=key, about=about)
    assert str(UUID(uuid)) == uuid
    assert UUID(uuid).version == 8
    assert UUID(uuid).variant == "specified in RFC 4122"
    assert rule_of(uuid, key=key) == identity
    assert rule_of(f"urn:uuid:{uuid.upper()}", key=key) == identity


def test_an_equal_request_gets_an_equal_uuid() -> None:
    assert uuid_of(CARD, key=KEY, about=ABOUT) == uuid_of(CARD, key=KEY, about=tuple(json.loads(json.dumps(ABOUT))))


@pytest.mark.parametrize("place", range(len(ABOUT)))
def test_whatever_differs_in_the_request_makes_another_uuid(place: int) -> None:
    other = (*ABOUT[:place], ABOUT[place] + "x", *ABOUT[place + 1 :])
    assert uuid_of(CARD, key=KEY, about=other) != uuid_of(CARD, key=KEY, about=ABOUT)


def test_text_that_moves_from_one_part_to_the_next_makes_another_uuid() -> None:
    assert uuid_of(CARD, key=KEY, about=("ab", "c")) != uuid_of(CARD, key=KEY, about=("a", "bc"))


@given(one=identities, other=identities)
def test_two_identities_never_share_a_uuid(one: Identity, other: Identity) -> None:
    same = uuid_of(one, key=KEY, about=ABOUT) == uuid_of(other, key=KEY, about=ABOUT)
    assert same == (one == other)


def test_without_the_key_nobody_can_make_one() -> None:
    assert rule_of(uuid_of(CARD, key=b"another key", about=ABOUT), key=KEY) is None


@given(bit=st.integers(0, 127))
def test_a_changed_bit_is_noticed(bit: int) -> None:
    value = UUID(uuid_of(CARD, key=KEY, about=ABOUT)).int ^ 1 << bit
    assert rule_of(str(UUID(int=value)), key=KEY) is None


@pytest.mark.parametrize("text", ["", "card-1", "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea", "💊"])
def test_a_foreign_id_says_nothing(text: str) -> None:
    assert rule_of(text, key=KEY) is None


@pytest.mark.parametrize(("rule", "profile", "place"), [(4096, 1, 0), (1, 256, 0), (1, 1, 64), (-1, 1, 0)])
def test_numbers_that_do_not_fit_are_refused(rule: int, profile: int, place: int) -> None:
    identity = Identity(rule_number=rule, profile_number=profile, kind="suggestion", place=place)
    with pytest.raises(ValueError, match="does not fit"):
        uuid_of(identity, key=KEY, about=ABOUT)
