"""Tokens: what is read back is what was signed, and by one spelling alone."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tokens import Claim, Purpose, Signer, TokenInvalid

SIGNER = Signer(("a secret key for tests that is of some length",))
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
LOOKALIKES = {"i": "ıİ", "s": "ſ", "k": "\N{KELVIN SIGN}", "a": "ａ", "2": "２²"}  # noqa: RUF001 - so it is meant
"""What Unicode takes for the same letter or digit in capitals, in small letters, or in another width."""

PURPOSES = st.sampled_from(Purpose)
INSTANTS = st.none() | st.integers(1, 2**32 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@st.composite
def respelled(draw: st.DrawFn, token: str) -> str:
    """The token with one character exchanged, added or left out."""
    place = draw(st.integers(0, len(token)))
    rest: str = draw(st.sampled_from([token[place:], token[place + 1 :]]))
    other: str = draw(st.sampled_from([*BASE32, *BASE32.upper(), *"0189=-_ ", *"".join(LOOKALIKES.values()), ""]))
    return token[:place] + other + rest


@given(PURPOSES, st.uuids(), INSTANTS, st.data())
def test_a_token_has_one_spelling(purpose: Purpose, subject: UUID, until: datetime | None, data: st.DataObject) -> None:
    token = SIGNER.sign(purpose, subject, until)
    assert SIGNER.read(purpose, token) == SIGNER.read(purpose, token.upper()) == Claim(subject, until)
    other = data.draw(respelled(token))
    if not (other.isascii() and other.lower() == token):
        with pytest.raises(TokenInvalid):
            SIGNER.read(purpose, other)


@given(PURPOSES, st.uuids())
def test_what_unicode_takes_for_a_letter_is_none(purpose: Purpose, subject: UUID) -> None:
    token, short = SIGNER.sign(purpose, subject), SIGNER.sign_short(purpose, subject)
    for letter, others in LOOKALIKES.items():
        for other in others if letter in token else "":
            with pytest.raises(TokenInvalid):
                SIGNER.read(purpose, token.replace(letter, other, 1))
        for other in others if letter in short else "":
            assert SIGNER.find(purpose, short.replace(letter, other, 1)) is None


@given(PURPOSES, st.uuids())
def test_bits_at_the_end_that_stand_for_nothing_make_no_second_spelling(purpose: Purpose, subject: UUID) -> None:
    token, short = SIGNER.sign(purpose, subject), SIGNER.sign_short(purpose, subject)
    for last in set(BASE32) - {token[-1]}:
        with pytest.raises(TokenInvalid):
            SIGNER.read(purpose, token[:-1] + last)
    assert [last for last in BASE32 if SIGNER.find(purpose, short[:-1] + last)] == [short[-1]]


@given(PURPOSES, st.uuids(), st.text(max_size=50), st.text(max_size=50))
def test_a_short_token_is_found_in_whatever_stands_around_it(
    purpose: Purpose, subject: UUID, before: str, behind: str
) -> None:
    short = SIGNER.sign_short(purpose, subject)
    for each in (short, short.upper()):
        assert SIGNER.find(purpose, f"{before}{each}{behind}") == subject


@pytest.mark.parametrize("nothing", ["", "=", "========", "a", "a" * 59, "\N{KELVIN SIGN}" * 60])
def test_what_is_no_token_is_none(nothing: str) -> None:
    with pytest.raises(TokenInvalid):
        SIGNER.read(Purpose.CONFIRM, nothing)
