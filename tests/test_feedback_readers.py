"""Readers of what mail providers post: every shape in their documentation, and any other that JSON can have."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.feedback import FeedbackKind, Report, providers
from app.feedback.providers import PROVIDERS, Ours
from app.feedback.providers.post import Forged, Malformed, Post
from config import FeedbackChannels
from tests.feedback_samples import SAMPLES, Sample, posted, sample
from tests.service import ADA

LETTER = UUID("0190a0b0-0000-7000-8000-000000000001")
MESSAGE_ID = f"<{LETTER}@example.org>"
SENDER = "feedback+token@example.org"


def ours(by_sender: str = SENDER) -> Ours:
    return Ours(
        channels=FeedbackChannels(None, None, None, None, None),
        key="a key for tests",
        letter_by_sender=lambda text: LETTER if text == by_sender else None,
    )


def read(provider: str, body: str, known: Ours | None = None) -> list[Report]:
    """As if the post had proven whose it is: proofs have tests of their own."""
    found = PROVIDERS[provider].parse(posted(provider, body).encode())
    reports = (providers.report(provider, event, known or ours()) for event in PROVIDERS[provider].events(found))
    return [report for report in reports if report]


@pytest.mark.parametrize("each", SAMPLES, ids=str)
def test_each_sample_reports_what_its_name_says(each: Sample) -> None:
    reports = read(each.provider, each.filled_in())
    assert [report.kind for report in reports] == ([each.kind] if each.kind else [])
    assert [report.source for report in reports if report.address and report.address.canonical == ADA] == [
        each.provider for _report in reports
    ]


COUNTED = {
    "brevo/soft_bounce",
    "brevo/soft_bounce-full",
    "elasticemail/soft_bounce",
    "elasticemail/soft_bounce-dns",
    "elasticemail/soft_bounce-timeout",
    "mailgun/soft_bounce-by-type",
    "mailgun/soft_bounce-full",
    "mailgun/soft_bounce-too-old",
    "mailjet/soft_bounce",
    "mailjet/soft_bounce-not-hard",
    "mailjet/soft_bounce-reply-says-full",
    "mandrill/soft_bounce",
    "mandrill/soft_bounce-full-without-reply",
    "postmark/soft_bounce",
    "postmark/soft_bounce-transient",
    "resend/soft_bounce",
    "scaleway/soft_bounce-blocklisted-as-full",
    "sendgrid/soft_bounce-blocked-without-class",
    "sendgrid/soft_bounce-full",
    "sendgrid/soft_bounce-unexplained",
    "ses/soft_bounce",
    "ses/soft_bounce-general-expired",
    "smtp2go/soft_bounce",
    "sparkpost/soft_bounce",
    "sparkpost/soft_bounce-no-host",
}


def test_only_what_is_about_the_mailbox_counts_towards_giving_it_up() -> None:
    found = {str(each) for each in SAMPLES for report in read(each.provider, each.filled_in()) if report.counts}
    assert found == COUNTED


@pytest.mark.parametrize(
    "name", ["ses/hard_bounce", "mailgun/complaint", "sendgrid/unsubscribe", "scaleway/hard_bounce"]
)
def test_a_message_id_of_ours_leads_to_the_letter(name: str) -> None:
    (report,) = read(sample(name).provider, sample(name).filled_in(message_id=MESSAGE_ID))
    assert report.letter_id == LETTER


@pytest.mark.parametrize("name", ["ses/hard_bounce-suppressed", "smtp2go/hard_bounce", "sparkpost/complaint"])
def test_so_does_the_envelope_sender_that_it_was_sent_with(name: str) -> None:
    (report,) = read(sample(name).provider, sample(name).filled_in(sender=SENDER))
    assert report.letter_id == LETTER


def test_the_enhanced_status_code_is_kept_and_no_word_of_the_text() -> None:
    codes = {
        str(each): [report.code for report in read(each.provider, each.filled_in())]
        for each in SAMPLES
        if each.path.stem == "hard_bounce"
    }
    # Elastic Email passes no reply on.
    assert codes == {f"{name}/hard_bounce": ["" if name == "elasticemail" else "5.1.1"] for name in PROVIDERS}
    body = sample("brevo/hard_bounce").filled_in().replace("550 5.1.1 ", "from 5.1.1.7 or 15.1.1 ")
    assert [report.code for report in read("brevo", body)] == [""]


def test_a_fingerprint_is_the_same_for_a_copy_and_different_for_everything_else() -> None:
    prints = [
        report.fingerprint for each in SAMPLES for _copy in range(2) for report in read(each.provider, each.filled_in())
    ]
    assert len(set(prints)) == len(prints) / 2
    to_grace = [
        report.fingerprint
        for each in SAMPLES
        for report in read(each.provider, each.filled_in().replace(ADA, "grace@example.org"))
    ]
    assert not set(to_grace) & set(prints)


def test_a_fingerprint_can_be_made_by_nobody_who_only_knows_the_address() -> None:
    known = ours()
    with_another_key = Ours(known.channels, "another key", known.letter_by_sender)
    for each in SAMPLES:
        for one, other in zip(
            read(each.provider, each.filled_in()),
            read(each.provider, each.filled_in(), with_another_key),
            strict=True,
        ):
            assert one.fingerprint != other.fingerprint
            assert "@" not in one.fingerprint


def test_what_is_about_no_letter_and_no_address_is_no_report() -> None:
    assert read("brevo", '{"event": "hard_bounce", "email": "not an address", "message-id": "<1@example.net>"}') == []


def test_who_is_taken_off_postmark_s_list_has_not_left_whatever_the_reason_says() -> None:
    body = sample("postmark/nothing-reactivated").filled_in()
    assert '"SuppressionReason": null' in body
    assert read("postmark", body.replace("null", '"ManualSuppression"')) == []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, str]:
    """A sample of which any parts are replaced by anything, or left out."""
    each = draw(st.sampled_from(SAMPLES))

    def damage(value: Any) -> Any:
        if draw(st.integers(0, 9)) == 0:
            return draw(ANYTHING)
        if isinstance(value, dict):
            return {name: damage(part) for name, part in value.items() if draw(st.integers(0, 19))}
        return [damage(part) for part in value] if isinstance(value, list) else value

    return each.provider, json.dumps(damage(json.loads(each.filled_in())))


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_damaged_posts_are_read_as_far_as_they_go(case: tuple[str, str]) -> None:
    provider, body = case
    for report in read(provider, body):
        assert isinstance(report.kind, FeedbackKind)
        assert report.letter_id or report.address


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(PROVIDERS)), ANYTHING)
def test_any_json_at_all_is_read_or_refused(provider: str, value: Any) -> None:
    post = Post.of(json.dumps(value).encode(), [])
    topic = "arn:aws:sns:eu-west-1:123456789012:bounces"
    channels = FeedbackChannels(None, None, "a key", _SENDGRID_KEY, topic, "a key", "whsec_YSBrZXk=")
    known = Ours(channels, "a key", lambda _text: None)
    try:
        assert isinstance(providers.read(provider, post, known), list)
    except Forged:
        assert provider in {"mailgun", "mandrill", "resend", "sendgrid", "ses"}


_SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7L"
    "tkBoN79R9Q=="
)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"a": 1' + b"0" * 5000 + b"}", b"[" * 200_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        Post.of(body, [])
