"""What mail software really sends back: each file of `tests/bounces` is taken for what it is."""

from uuid import UUID

import pytest

from app.feedback import FeedbackKind, inbound
from app.links import Links
from app.tokens import Signer
from tests.commands import ROOT

LETTER = UUID("5f0c1ddc-8e0b-4d3c-9a3e-2f4b6c8d0e1f")
LINKS = Links("", Signer(("a secret key for tests that is of some length",)))
FOLDER = ROOT / "tests" / "bounces"
Expected = tuple[FeedbackKind, bool]
"""What it is, and whether it counts towards giving the mailbox up."""
HARD, SOFT, OTHER = (
    (FeedbackKind.HARD_BOUNCE, True),
    (FeedbackKind.SOFT_BOUNCE, True),
    (FeedbackKind.SOFT_BOUNCE, False),
)
COMPLAINT, UNSUBSCRIBE = (FeedbackKind.COMPLAINT, False), (FeedbackKind.UNSUBSCRIBE, False)

EXPECTED: dict[str, tuple[Expected, str] | None] = {
    "absence": None,
    "absence-names-a-colleague": None,
    "absence-of-an-old-program": None,
    "absence-with-null-sender": None,
    "amazon-workmail": (HARD, "5.1.1"),
    "bounce-forwarded-by-a-person": None,
    "challenge-in-the-form-of-a-report": None,
    "courier-5.3.0-no-such-user": (HARD, "5.3.0"),
    "dma-no-such-user": (HARD, "5.1.1"),
    "dma-over-quota": (SOFT, "5.2.2"),
    "dma-policy-code-no-such-user": (HARD, "5.7.1"),
    "dma-refused-after-data": (OTHER, "5.7.1"),
    "dma-refused-see-list": (OTHER, "553"),
    "dma-too-many-recipients": (OTHER, "5.1.1"),
    "docomo-unknown-user": (HARD, "550"),
    "domino-japanese": (HARD, "5.0.0"),
    "dovecot-absence": None,
    "dovecot-mdn-over-quota": (SOFT, ""),
    "dovecot-mdn-refused": (OTHER, ""),
    "dovecot-over-quota": (SOFT, "5.2.2"),
    "dovecot-refused-by-a-filter": (OTHER, ""),
    "dragonfly-given-up": (SOFT, ""),
    "exchange-2003-name-not-recognized": (HARD, ""),
    "exchange-5.1.351": (HARD, "5.1.351"),
    "exchange-mailbox-full": (SOFT, "5.2.2"),
    "exchange-no-such-recipient": (HARD, "5.1.10"),
    "exim-550-blacklist": (OTHER, "550"),
    "exim-550-without-code": (HARD, "5.0.0"),
    "exim-connection-refused-too-long": (SOFT, "5.0.0"),
    "exim-disabled": (HARD, "5.2.1"),
    "exim-greylisted-too-long": (OTHER, "4.2.0"),
    "exim-host-not-found": (HARD, "5.0.0"),
    "exim-mailbox-full-452": (SOFT, "4.2.2"),
    "exim-mailbox-full-552": (SOFT, "5.2.2"),
    "exim-message-too-large": (OTHER, "5.3.4"),
    "exim-no-account-in-three-lines": (HARD, "5.1.1"),
    "exim-null-mx": (HARD, "5.0.0"),
    "exim-over-quota": (SOFT, "5.0.0"),
    "exim-policy": (OTHER, "5.7.1"),
    "exim-recipient-access-denied": (HARD, "5.4.1"),
    "exim-refused-after-data": (OTHER, "5.7.1"),
    "exim-unknown-local-user": (HARD, "5.0.0"),
    "exim-unknown-remote-user": (HARD, "5.1.1"),
    "exim3-unknown-user": (HARD, ""),
    "ezweb-disabled": (HARD, ""),
    "forged-for-another-letter": None,
    "gateway-says-gone-of-full": (SOFT, "5.2.2"),
    "gmx-no-account": (HARD, "5.1.1"),
    "gmx-policy-under-mailbox-unavailable": (OTHER, "5.0.0"),
    "godaddy-too-many-recipients": (OTHER, "5.1.1"),
    "hotmail-complaint": (COMPLAINT, ""),
    "hotmail-complaint-in-one-part": (COMPLAINT, ""),
    "hotmail-complaint-redacted": (COMPLAINT, ""),
    "hotmail-complaint-with-a-text": (COMPLAINT, ""),
    "ionos-content-refused": (OTHER, "5.2.0"),
    "ionos-mailbox-full": (SOFT, "5.2.2"),
    "ironport-access-denied": (OTHER, "5.7.1"),
    "kddi-mailbox-full": (SOFT, ""),
    "laposte-5.5.0-invalid-recipient": (HARD, "5.5.0"),
    "mailenable-no-mailbox": (HARD, "550"),
    "mailmarshal-refused": (HARD, "5.1.1"),
    "mailru-invalid-mailbox": (HARD, ""),
    "mailru-not-accepted-invalid-mailbox": (HARD, "5.0.0"),
    "mfilter-unknown-user": (HARD, "550"),
    "mimecast-blank-before-the-colon": (HARD, "5.1.1"),
    "notes-not-listed": (HARD, ""),
    "opensmtpd-delayed": None,
    "opensmtpd-no-such-user": (HARD, "5.1.1"),
    "opensmtpd-over-quota": (SOFT, "5.2.2"),
    "opensmtpd-policy-code-no-such-user": (HARD, "5.7.1"),
    "opensmtpd-refused-after-data": (OTHER, "5.7.1"),
    "opensmtpd-refused-see-list": (OTHER, "553"),
    "opensmtpd-too-many-recipients": (OTHER, "5.1.1"),
    "outlook-mailbox-unavailable": (HARD, "5.5.0"),
    "post-about-bounces": None,
    "postfix-550-blacklist": (OTHER, "550"),
    "postfix-550-without-code": (HARD, "5.0.0"),
    "postfix-connection-refused-too-long": (SOFT, "4.4.1"),
    "postfix-delayed-connection-refused": None,
    "postfix-delayed-greylisted": None,
    "postfix-delayed-mailbox-full": None,
    "postfix-disabled": (HARD, "5.2.1"),
    "postfix-greylisted-too-long": (OTHER, "4.2.0"),
    "postfix-host-not-found": (SOFT, "5.4.4"),
    "postfix-mailbox-full-452": (SOFT, "4.2.2"),
    "postfix-mailbox-full-552": (SOFT, "5.2.2"),
    "postfix-message-too-large": (OTHER, "5.3.4"),
    "postfix-no-account-in-three-lines": (HARD, "5.1.1"),
    "postfix-null-mx": (HARD, "5.1.0"),
    "postfix-policy": (OTHER, "5.7.1"),
    "postfix-recipient-access-denied": (HARD, "5.4.1"),
    "postfix-refused-after-data": (OTHER, "5.7.1"),
    "postfix-unknown-local-user": (HARD, "5.1.1"),
    "postfix-unknown-remote-user": (HARD, "5.1.1"),
    "postmaster-answers": None,
    "qmail-no-mailbox": (HARD, "5.1.1"),
    "qmail-no-mailbox-by-message-id": (HARD, "5.1.1"),
    "qmail-over-quota": (SOFT, "5.2.2"),
    "report-in-base64": (HARD, "5.1.1"),
    "report-in-html-alone": (HARD, "5.1.10"),
    "report-of-an-unknown-sender": (OTHER, "5.1.1"),
    "report-that-is-empty": (HARD, "5.1.1"),
    "report-with-action-expired": (SOFT, "4.4.2"),
    "report-with-action-failure": (HARD, "5.1.1"),
    "report-without-action": (HARD, "5.1.1"),
    "rfc3464-delayed": None,
    "rfc3464-delivered": None,
    "rfc3464-gateway": (HARD, "5.1.1"),
    "rfc3464-head-only": (HARD, "5.1.1"),
    "rfc3464-one-gone-one-delayed": (OTHER, "5.1.1"),
    "rfc3464-one-of-several": None,
    "rfc3464-several-gone-one-full": (SOFT, "5.2.2"),
    "rfc3464-timed-out": (SOFT, "426"),
    "rfc5965-abuse-complete": (COMPLAINT, ""),
    "rfc5965-abuse-minimal": (COMPLAINT, ""),
    "rfc5965-auth-failure": None,
    "rfc5965-fraud": (COMPLAINT, ""),
    "rfc5965-not-spam": None,
    "rfc5965-opt-out": (UNSUBSCRIBE, ""),
    "rfc5965-virus": None,
    "rfc6533-global": (HARD, "5.1.1"),
    "sendmail-5-transcript": (HARD, "550"),
    "sendmail-550-no-mailbox": (HARD, "5.1.1"),
    "sendmail-550-spam-made-5.1.1": (OTHER, "550"),
    "sendmail-551-relay-made-5.1.6": (OTHER, "551"),
    "sendmail-local-mailer": (SOFT, "5.0.0"),
    "sendmail-mailbox-unavailable": (HARD, "5.5.0"),
    "sendmail-no-mail-box-without-code": (HARD, "5.1.1"),
    "sendmail-no-such-user": (HARD, "5.1.1"),
    "sendmail-one-gone-one-full": (SOFT, "5.2.2"),
    "sendmail-over-quota": (SOFT, "5.2.2"),
    "sendmail-policy-code-no-such-user": (HARD, "5.7.1"),
    "sendmail-refused-after-data": (OTHER, "5.7.1"),
    "sendmail-refused-see-list": (OTHER, "553"),
    "sendmail-too-many-recipients": (OTHER, "5.1.1"),
    "ticket-with-null-sender": None,
    "trendmicro-returned-report": (HARD, "5.3.0"),
    "verizon-no-valid-recipient": (HARD, ""),
    "yahoo-discontinued": (HARD, ""),
    "yandex-no-such-user": (HARD, "5.7.1"),
}


def test_each_file_has_its_line() -> None:
    assert {each.stem for each in FOLDER.glob("*.eml")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_it_is_taken_for_what_it_is(name: str) -> None:
    reports = inbound.read((FOLDER / f"{name}.eml").read_bytes(), None, LINKS)
    expected = EXPECTED[name]
    found = [((each.kind, each.counts), each.code, each.letter_id) for each in reports]
    assert found == ([(*expected, LETTER)] if expected else [])


@pytest.mark.parametrize(
    "name", [name for name, expected in EXPECTED.items() if expected and expected[0] in (HARD, SOFT, OTHER)]
)
def test_the_ends_of_its_lines_do_not_matter(name: str) -> None:
    raw = (FOLDER / f"{name}.eml").read_bytes()
    one, other = (inbound.read(each, None, LINKS) for each in (raw, raw.replace(b"\n", b"\r\n")))
    assert one == other
