"""The table of what a reply means: each row is needed, and what speaks of others than the mailbox vetoes "gone"."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.feedback.replies import About, Meaning, ReplyVerdict, Stage, judge
from app.feedback.replies.judging import TABLES
from tests.server_replies import GONE, OTHERS, UNAVAILABLE, VETOES

ALL = (*GONE, *UNAVAILABLE, *OTHERS)
RELAY = (
    (Stage.CONTENT, 550, "Account disabled"),
    (Stage.RCPT, 550, "5.3.2 System not accepting messages"),
)
"""What only a relay says to us."""


def said(reply: str, status: str = "") -> ReplyVerdict:
    return judge(None, status, reply)


@pytest.mark.parametrize("reply", GONE)
def test_a_mailbox_that_is_gone_is_a_hard_bounce(reply: str) -> None:
    verdict = said(reply)
    assert (verdict.meaning, verdict.kind) == (Meaning.GONE, "hard_bounce")


@pytest.mark.parametrize("reply", UNAVAILABLE)
def test_a_mailbox_that_is_full_disabled_or_unreachable_is_a_soft_bounce_that_counts(reply: str) -> None:
    verdict = said(reply)
    assert (verdict.meaning, verdict.kind, verdict.counts) == (Meaning.UNAVAILABLE, "soft_bounce", True)


@pytest.mark.parametrize("reply", OTHERS)
def test_what_is_about_us_our_sender_or_the_letter_does_not_count(reply: str) -> None:
    verdict = said(reply)
    assert (verdict.kind, verdict.counts) == ("soft_bounce", False)
    assert verdict.about is not About.MAILBOX


@pytest.mark.parametrize(
    ("status", "reply"),
    [
        ("5.1.3", "553 refused, see http://list.example.com/?ip=192.0.2.7"),
        ("5.1.1", "552 5.2.2 over quota"),
        ("5.1.1", "550 5.1.1 <ada@example.org> 192.0.2.7 sent to too many recipients within the hour"),
        ("5.1.1", "550 5.7.1 Message rejected"),
        ("5.1.1", "550 JunkMail rejected - host [192.0.2.7] is in an RBL"),
        ("5.1.3", "553 Bounced"),
        ("5.1.6", "551 Blocked for abuse"),
    ],
)
def test_the_servers_own_reply_outweighs_the_status_that_somebody_made_of_it(status: str, reply: str) -> None:
    assert said(reply, status).meaning is not Meaning.GONE


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        ("5.1.0 - Unknown address error 550-'5.1.1 <ada@example.org>: User unknown in local table'", Meaning.GONE),
        ("5.1.0 - Unknown address error 550-'5.7.1 <ada@example.org>... Access denied'", Meaning.LETTER),
        ("5.3.0 - Other mail system problem 554-'5.1.0 Sender denied'", Meaning.SENDER),
        ("5.1.2 - Bad destination host 'DNS Hard Error'", Meaning.UNAVAILABLE),
    ],
)
def test_what_a_gateway_quotes_outweighs_what_it_makes_of_it(reply: str, meaning: Meaning) -> None:
    assert said(reply).meaning is meaning


@pytest.mark.parametrize(
    ("status", "reply", "meaning"),
    [
        ("5.1.1", "", Meaning.GONE),
        ("5.1.1", "procmail", Meaning.GONE),
        ("5.2.2", "", Meaning.UNAVAILABLE),
        ("5.7.1", "", Meaning.LETTER),
        ("5.1.8", "", Meaning.SENDER),
        ("4.4.7", "", Meaning.UNAVAILABLE),
        ("", "", Meaning.UNAVAILABLE),
        ("nonsense", "at 192.5.1.1 and 5.1.1.7", Meaning.UNAVAILABLE),
    ],
)
def test_without_a_reply_the_status_decides(status: str, reply: str, meaning: Meaning) -> None:
    assert said(reply, status).meaning is meaning


@pytest.mark.parametrize(
    ("status", "reply", "code"),
    [
        ("5.0.0", "550 5.1.1 unknown user", "5.1.1"),
        ("5.1.1", "552 5.2.2 over quota", "5.2.2"),
        ("5.1.1", "550 unknown user", "5.1.1"),
        ("5.1.1", "550 blocked", "550"),
        ("", "550 unknown user", "550"),
        ("", "unknown user", ""),
    ],
)
def test_the_code_that_is_kept_is_the_one_that_it_goes_by(status: str, reply: str, code: str) -> None:
    assert said(reply, status).code == code


@given(some.sampled_from(GONE), some.sampled_from(VETOES), some.booleans())
def test_no_mailbox_is_gone_if_the_reply_speaks_of_something_else(gone: str, veto: str, is_first: bool) -> None:
    code, _, words = gone.partition(" ")
    reply = f"{code} {veto}; {words}" if is_first else f"{gone}; {veto}"
    assert said(reply).meaning is not Meaning.GONE


@given(some.sampled_from(GONE), some.sampled_from(["421", "450 4.2.0", "451 4.7.1", "4.4.7"]))
def test_nothing_that_is_temporary_is_gone(gone: str, code: str) -> None:
    assert said(f"{code} {gone.partition(' ')[2]}", "4.0.0").meaning is not Meaning.GONE


@given(some.sampled_from(ALL), some.sampled_from(["in reply to MAIL FROM command", "in reply to EHLO command"]))
def test_before_the_server_knows_of_the_recipient_it_says_nothing_of_them(reply: str, command: str) -> None:
    assert said(f"{reply} ({command})").about in (About.US, About.SENDER)


@given(some.sampled_from(ALL), some.sampled_from(["quota", "blocked", "spam", "relay", "unknown.user", "no.such.user"]))
def test_what_an_address_is_called_decides_nothing(reply: str, name: str) -> None:
    """A stranger chooses it, and the name of its domain."""
    renamed = reply.replace("ada@example.org", f"{name}@{name}.example")
    assert said(renamed).meaning is said(reply).meaning


def test_each_row_of_the_table_is_needed() -> None:
    found = {said(reply, status).source for reply in ALL for status in ("", "5.0.0")}
    found |= {
        said("", f"5.{code}").source
        for code in ("1.1", "1.10", "1.351", "1.8", "2.1", "2.2", "3.1", "3.4", "4.1", "7.8", "7.12", "7.17")
    }
    found |= {judge(code, "", words, stage).source for stage, code, words in RELAY}
    rows = list(chain.from_iterable(TABLES))
    assert [row.source for row in rows if row.source not in found] == []
    assert len({row.source for row in rows}) == len(rows)
