"""Signed notes: the example of the specification, and what is none (C2SP signed-note)."""

import pytest

from app.ledger.signing import LogSigner, sign
from app.ledger.verifier import Key, Refuted, open_note

KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TEXT = "This is an example message.\n"
SIGNATURE = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
EXAMPLE = f"{TEXT}\n— example.com/foo {SIGNATURE}\n"


def test_the_example_of_the_specification_verifies() -> None:
    key = Key.parse(KEY)
    assert str(key) == KEY
    assert open_note(EXAMPLE, [key]) == TEXT


def test_what_we_sign_is_of_the_same_form() -> None:
    signer = LogSigner.of("example.com/foo", bytes(32))
    assert open_note(sign(TEXT, [signer]), [signer.key]) == TEXT


@pytest.mark.parametrize(
    "note",
    [
        "",
        TEXT,
        EXAMPLE.replace("example message", "exemplary message"),
        EXAMPLE.replace("Uw2Q", "Uw2R"),
        EXAMPLE.replace("— example.com/foo", "- example.com/foo"),
        EXAMPLE.replace("— example.com/foo", "— example.com/bar"),
        EXAMPLE.removesuffix("\n"),
        EXAMPLE.replace("\n\n", "\n"),
        EXAMPLE + f"— example.com/foo {SIGNATURE.replace('Tnag', 'Tnah')}\n",
    ],
)
def test_a_note_that_is_not_signed_so_is_refuted(note: str) -> None:
    with pytest.raises(Refuted):
        open_note(note, [Key.parse(KEY)])


@pytest.mark.parametrize(
    "line",
    ["", "example.com/foo", KEY.replace("530d903a", "530d903b"), KEY.replace("Aeky", "Beky"), KEY[:-4], f"{KEY}x"],
)
def test_a_line_that_is_no_verification_key_is_refuted(line: str) -> None:
    with pytest.raises(Refuted):
        Key.parse(line)
