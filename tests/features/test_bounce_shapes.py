"""What mail software really sends back: each file of `tests/bounces` is taken for what it is."""

from uuid import UUID

import pytest

from app.feedback import FeedbackKind, inbound, smtp_status
from app.links import Links
from app.tokens import Signer
from tests.commands import ROOT

LETTER = UUID("5f0c1ddc-8e0b-4d3c-9a3e-2f4b6c8d0e1f")
LINKS = Links("", Signer(("a secret key for tests that is of some length",)))
FOLDER = ROOT / "tests" / "bounces"
HARD, SOFT, COMPLAINT, UNSUBSCRIBE = FeedbackKind

EXPECTED: dict[str, tuple[FeedbackKind, str] | None] = {
    "absence": None,
    "exchange-mailbox-full": (SOFT, "5.2.2"),
    "exchange-no-such-recipient": (HARD, "5.1.10"),
    "exim-550-blacklist": (SOFT, "5.0.0"),
    "exim-550-without-code": (HARD, "5.0.0"),
    "exim-connection-refused-too-long": (SOFT, "5.0.0"),
    "exim-disabled": (HARD, "5.2.1"),
    "exim-greylisted-too-long": (SOFT, "4.2.0"),
    "exim-host-not-found": (HARD, "5.0.0"),
    "exim-mailbox-full-452": (SOFT, "4.2.2"),
    "exim-mailbox-full-552": (SOFT, "5.2.2"),
    "exim-message-too-large": (SOFT, "5.3.4"),
    "exim-no-account-in-three-lines": (HARD, "5.1.1"),
    "exim-null-mx": (HARD, "5.0.0"),
    "exim-over-quota": (SOFT, "5.0.0"),
    "exim-policy": (SOFT, "5.7.1"),
    "exim-recipient-access-denied": (SOFT, "5.4.1"),
    "exim-refused-after-data": (SOFT, "5.7.1"),
    "exim-unknown-local-user": (HARD, "5.0.0"),
    "exim-unknown-remote-user": (HARD, "5.1.1"),
    "exim3-unknown-user": (HARD, ""),
    "forged-for-another-letter": None,
    "postfix-550-blacklist": (SOFT, "5.0.0"),
    "postfix-550-without-code": (HARD, "5.0.0"),
    "postfix-connection-refused-too-long": (SOFT, "4.4.1"),
    "postfix-delayed-connection-refused": None,
    "postfix-delayed-greylisted": None,
    "postfix-delayed-mailbox-full": None,
    "postfix-disabled": (HARD, "5.2.1"),
    "postfix-greylisted-too-long": (SOFT, "4.2.0"),
    "postfix-host-not-found": (SOFT, "5.4.4"),
    "postfix-mailbox-full-452": (SOFT, "4.2.2"),
    "postfix-mailbox-full-552": (SOFT, "5.2.2"),
    "postfix-message-too-large": (SOFT, "5.3.4"),
    "postfix-no-account-in-three-lines": (HARD, "5.1.1"),
    "postfix-null-mx": (HARD, "5.1.0"),
    "postfix-policy": (SOFT, "5.7.1"),
    "postfix-recipient-access-denied": (SOFT, "5.4.1"),
    "postfix-refused-after-data": (SOFT, "5.7.1"),
    "postfix-unknown-local-user": (HARD, "5.1.1"),
    "postfix-unknown-remote-user": (HARD, "5.1.1"),
    "qmail-no-mailbox": (HARD, "5.1.1"),
    "qmail-no-mailbox-by-message-id": (HARD, "5.1.1"),
    "qmail-over-quota": (SOFT, "5.2.2"),
    "rfc3464-delayed": None,
    "rfc3464-delivered": None,
    "rfc3464-gateway": (HARD, "5.1.1"),
    "rfc3464-head-only": (HARD, "5.1.1"),
    "rfc3464-one-of-several": None,
    "rfc3464-several-gone-one-full": (SOFT, "5.2.2"),
    "rfc3464-timed-out": (SOFT, "4.0.0"),
    "rfc5965-abuse-complete": (COMPLAINT, ""),
    "rfc5965-abuse-minimal": (COMPLAINT, ""),
    "rfc5965-auth-failure": None,
    "rfc5965-fraud": (COMPLAINT, ""),
    "rfc5965-not-spam": None,
    "rfc5965-opt-out": (UNSUBSCRIBE, ""),
    "rfc5965-virus": None,
    "rfc6533-global": (HARD, "5.1.1"),
}


def test_each_file_has_its_line() -> None:
    assert {each.stem for each in FOLDER.glob("*.eml")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_it_is_taken_for_what_it_is(name: str) -> None:
    reports = inbound.read((FOLDER / f"{name}.eml").read_bytes(), None, LINKS)
    expected = EXPECTED[name]
    found = [(each.kind, each.code, each.letter_id) for each in reports]
    assert found == ([(*expected, LETTER)] if expected else [])


@pytest.mark.parametrize(
    "name", [name for name, expected in EXPECTED.items() if expected and expected[0] in (HARD, SOFT)]
)
def test_the_ends_of_its_lines_do_not_matter(name: str) -> None:
    raw = (FOLDER / f"{name}.eml").read_bytes()
    one, other = (inbound.read(each, None, LINKS) for each in (raw, raw.replace(b"\n", b"\r\n")))
    assert one == other


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        ("5.1.1", "", HARD),
        ("5.1.2", "", HARD),
        ("5.1.3", "", HARD),
        ("5.1.6", "", HARD),
        ("5.1.10", "", HARD),
        ("5.2.1", "", HARD),
        ("5.2.1", "The user you are trying to contact is receiving mail too quickly.", SOFT),
        ("", "550 5.1.1 unknown", HARD),
        ("", "550 User unknown", HARD),
        ("", "550 unknown user", HARD),
        ("", "551 User not local; please try another", SOFT),
        ("", "550 Mailbox <ada@example.org> does not exist", HARD),
        ("", "550 Requested action not taken: mailbox unavailable", SOFT),
        ("", "550 Sender verify failed", SOFT),
        ("", "550 Administrative prohibition", SOFT),
        ("", "554 Transaction failed", SOFT),
        ("5.0.0", "550 5.7.1 Client host 192.0.2.1 blocked", SOFT),
        ("5.1.0", "550 5.1.0 sender rejected", SOFT),
        ("5.1.7", "bad address of the sender", SOFT),
        ("5.1.8", "the domain of the sender does not exist", SOFT),
        ("5.2.2", "", SOFT),
        ("5.3.0", "user unknown to this machine", SOFT),
        ("5.4.1", "Recipient address rejected: Access denied", SOFT),
        ("5.4.4", "Host not found", SOFT),
        ("5.7.1", "", SOFT),
        ("4.1.1", "user unknown", SOFT),
        ("4.2.2", "", SOFT),
        ("", "", SOFT),
        ("nonsense", "at 192.5.1.1 and 5.1.1.7", SOFT),
    ],
)
def test_only_what_means_no_such_mailbox_is_hard(code: str, said: str, expected: FeedbackKind) -> None:
    assert smtp_status.kind(code, said) is expected


@pytest.mark.parametrize(
    ("code", "counts"),
    [
        ("", True),
        ("550", True),
        ("5.2.2", True),
        ("550 5.2.2", True),
        ("4.4.1", True),
        ("5.4.4", True),
        ("5.1.0", True),
        ("5.1.8", False),
        ("5.3.4", False),
        ("5.5.2", False),
        ("5.6.0", False),
        ("550 5.7.1", False),
        ("4.7.0", False),
    ],
)
def test_what_is_about_us_is_not_held_against_a_mailbox(code: str, counts: bool) -> None:
    assert smtp_status.is_about_mailbox(code) is counts
