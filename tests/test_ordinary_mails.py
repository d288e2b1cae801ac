"""Mails of people, absences, challenges, list posts, tickets: whatever words and codes they quote, none is a bounce."""

from email import policy
from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as some

from app.feedback import explaining, inbound
from app.links import Links
from app.tokens import Signer
from tests.commands import ROOT
from tests.server_replies import GONE, OTHERS, UNAVAILABLE

LETTER = "5f0c1ddc-8e0b-4d3c-9a3e-2f4b6c8d0e1f"
LINKS = Links("", Signer(("a secret key for tests that is of some length",)))
BOUNCE = (ROOT / "tests" / "bounces" / "postfix-unknown-remote-user.eml").read_text(encoding="utf-8")
FRIGHTENING = (
    *GONE,
    *UNAVAILABLE,
    *OTHERS,
    "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown",
    "This is the mail system at host relay.example.net.",
    "<<< 550 5.1.1 <ada@example.com>... User unknown",
    ", ada@example.com,",
    "<ada@example.com>:\n550 User unknown",
    "Delivery to the following recipients failed permanently:",
    "Return-Path: <>\nReceived: from mx.example.com",
    "X-HmXmrOriginalRecipient: ada@example.com",
    "Feedback-Type: abuse",
    f"Message-ID: <{LETTER}@example.org>",
)
SUBJECTS = (
    "Confirm",
    "Re: Confirm",
    "Out of office: Confirm",
    "Re: Mail delivery failed",
    "AW: failure notice",
    "[Ticket 550] 5.1.1",
)
PEOPLE = (
    "Ada <ada@example.com>",
    "grace@example.com",
    '"Unknown, User" <no.such.user@example.com>',
    "Ada <ada@bounces.example>",
)
KINDS: dict[str, dict[str, str]] = {
    "a person": {"Return-Path": "<ada@example.com>", "User-Agent": "Mail 1.0"},
    "a person, piped": {},
    "an absence (RFC 3834)": {"Return-Path": "<>", "Auto-Submitted": "auto-replied"},
    "an absence of Exchange": {
        "Return-Path": "<>",
        "X-Auto-Response-Suppress": "All",
        "Auto-Submitted": "auto-generated",
    },
    "an absence of an old program": {"Return-Path": "<>", "Precedence": "bulk"},
    "an absence of a panel": {"Return-Path": "<>", "X-Autorespond": "Confirm"},
    "a challenge": {"Return-Path": "<challenge@example.com>", "Precedence": "junk", "Auto-Submitted": "auto-replied"},
    "a list post": {"Return-Path": "<list-bounces@example.com>", "List-Id": "<list.example.com>", "Precedence": "list"},
    "a ticket": {"Return-Path": "<>", "Auto-Submitted": "auto-generated", "X-Autoreply": "yes"},
}


@some.composite
def ordinary(draw: some.DrawFn) -> bytes:
    mail = EmailMessage(policy=policy.SMTP)
    for name, value in KINDS[draw(some.sampled_from(sorted(KINDS)))].items():
        mail[name] = value
    mail["From"], mail["To"] = draw(some.sampled_from(PEOPLE)), "news@example.org"
    mail["Subject"] = draw(some.sampled_from(SUBJECTS))
    said = draw(some.lists(some.sampled_from(FRIGHTENING) | some.text(max_size=30), max_size=6))
    mail.set_content("\n".join(said) + "\n", cte=draw(some.sampled_from(["base64", "quoted-printable"])))
    if draw(some.booleans()):
        mail.add_attachment(BOUNCE.encode(), maintype="text", subtype="plain", filename="bounce.txt")
        mail.set_boundary("b")
    return mail.as_bytes()


@settings(max_examples=300, deadline=None)
@given(ordinary())
def test_no_ordinary_mail_is_a_bounce_or_a_complaint(raw: bytes) -> None:
    assert explaining.explain(raw, None).verdict == "none"
    assert inbound.read(raw, None, LINKS) == []


@given(said=some.sampled_from(FRIGHTENING), author=some.sampled_from(PEOPLE))
def test_nor_is_a_bounce_that_somebody_forwards(said: str, author: str) -> None:
    mail = (
        f"From: {author}\nTo: news@example.org\nSubject: Fwd: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n"
        f"Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: text/plain\n\n{said}\n"
        f"--c\nContent-Type: message/rfc822\n\n{BOUNCE}\n--c--\n"
    )
    assert inbound.read(mail.encode(), None, LINKS) == []
