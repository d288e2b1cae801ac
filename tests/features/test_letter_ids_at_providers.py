"""Letters through a mail provider carry their id, which it passes back: its reports then lead to the letter."""

import json
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from config import FeedbackChannels, Settings
from tests.clocks import Clock
from tests.features.conftest import OpenService
from tests.feedback_samples import posted, sample
from tests.providers import CHANNELS, post, weekly
from tests.service import ADA, Letter, Service

SERVERS = {
    "brevo": ("smtp-relay.brevo.com", "X-Mailin-custom"),
    "elasticemail": ("smtp.elasticemail.com", "X-ElasticEmail-Postback"),
    "mailgun": ("smtp.eu.mailgun.org", "X-Mailgun-Variables"),
    "mailjet": ("in-v3.mailjet.com", "X-MJ-CustomID"),
    "mandrill": ("SMTP.mandrillapp.com", "X-MC-Metadata"),
    "postmark": ("smtp.postmarkapp.com", "X-PM-Metadata-letter"),
    "sendgrid": ("smtp.sendgrid.net", "X-SMTPAPI"),
    "sparkpost": ("smtp.eu.sparkpostmail.com.", "X-MSYS-API"),
}
USUAL = {
    "Auto-Submitted",
    "Content-Type",
    "Date",
    "From",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "MIME-Version",
    "Message-ID",
    "Subject",
    "To",
    "X-Auto-Response-Suppress",
}
Through = Callable[..., Service]
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(autouse=True)
def everybody_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail server of the tests is found under any name."""
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **options: look_up("127.0.0.1", *rest, **options))


@pytest.fixture
def through(open_service: OpenService, settings: Settings) -> Through:
    """Opens a service that sends through the mail server of that name."""
    server = settings.mail_server
    assert server is not None
    return lambda host, channels=CHANNELS: open_service(mail_server=replace(server, host=host), feedback=channels)


def headers(letter: Letter) -> dict[str, Any]:
    return {name: str(value) for name, value in letter.delivered.message.items()}


@pytest.mark.parametrize("provider", sorted(SERVERS))
def test_the_provider_knows_the_letter_and_says_so_when_it_bounces(provider: str, through: Through) -> None:
    host, header = SERVERS[provider]
    service = through(host)
    service.subscribe()
    letter = service.letter()
    assert set(headers(letter)) == USUAL | {header}
    value = headers(letter)[header]
    assert ID.fullmatch(value) or json.loads(value)
    (id_,) = ID.findall(value)
    assert id_ in headers(letter)["Message-ID"]
    # By that alone: the address is that of somebody else.
    body = sample(f"{provider}/hard_bounce").filled_in(letter_id=id_).replace(ADA, "list@example.net")
    assert post(service, provider, posted(provider, body)).json == {"reports": 1}
    assert weekly(service)["confirmation_mail"]["state"] == "bounced"


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        ("unsubscribe", {"events": "unsubscribed", "weekly": "confirmed"}),
        ("complaint", {"events": "complained", "weekly": "complained"}),
    ],
)
@pytest.mark.parametrize("provider", sorted(SERVERS))
def test_who_leaves_leaves_what_the_letter_was_about_and_who_complains_leaves_all(
    provider: str, kind: str, statuses: dict[str, str], through: Through, moved: Clock
) -> None:
    service = through(SERVERS[provider][0])
    letter = service.confirmed(newsletters=["events"])
    moved.shift(11 * 60)
    service.confirmed()
    (id_,) = ID.findall(headers(letter)[SERVERS[provider][1]])
    body = sample(f"{provider}/{kind}").filled_in(letter_id=id_).replace(ADA, "list@example.net")
    assert post(service, provider, posted(provider, body)).json == {"reports": 1}
    assert {slug: each["status"] for slug, each in (service.status() or {}).items()} == statuses


@pytest.mark.parametrize(
    ("host", "channels"),
    [
        ("relay.example.org", CHANNELS),
        ("postmarkapp.com.example.org", CHANNELS),
        ("notpostmarkapp.com", CHANNELS),
        ("email-smtp.eu-west-1.amazonaws.com", CHANNELS),
        ("smtp.postmarkapp.com", replace(CHANNELS, secret=None)),
    ],
)
def test_letters_through_other_servers_or_without_a_webhook_have_the_usual_headers_only(
    host: str, channels: FeedbackChannels, through: Through
) -> None:
    service = through(host, channels)
    service.subscribe()
    assert set(headers(service.letter())) == USUAL


def test_gmail_counts_complaints_by_kind_of_letter_where_a_sender_id_is_set(open_service: OpenService) -> None:
    service = open_service(feedback=replace(CHANNELS, sender_id="jawel-example"))
    letters = [service.confirmed(), service.confirmed("bea@example.org")]
    assert {headers(each)["Feedback-ID"] for each in letters} == {"confirmation:jawel-example"}
    service.post("/preferences", data={"email": ADA})
    assert headers(service.letter())["Feedback-ID"] == "preferences:jawel-example"
