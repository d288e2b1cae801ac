"""Mail providers report by HTTP what became of letters; the status of a subscription tells it at once."""

import json
import threading
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from app.feedback import FeedbackKind
from app.web.application import create_app
from config import Settings
from tests.clocks import Clock
from tests.features.conftest import OpenService
from tests.feedback_samples import posted, sample
from tests.providers import CHANNELS, SECRET, about, post, weekly
from tests.service import ADA, BROWSER, Service, everything

BECOMES = {
    FeedbackKind.HARD_BOUNCE: "bounced",
    FeedbackKind.COMPLAINT: "complained",
    FeedbackKind.UNSUBSCRIBE: "unsubscribed",
}
PEOPLE = {
    FeedbackKind.HARD_BOUNCE: "bea@example.org",
    FeedbackKind.COMPLAINT: "clara@example.org",
    FeedbackKind.UNSUBSCRIBE: ADA,
}


@pytest.fixture
def service(open_service: OpenService) -> Service:
    return open_service(feedback=CHANNELS)


@pytest.mark.parametrize(
    "provider",
    ["brevo", "elasticemail", "mailgun", "mailjet", "mandrill", "postmark", "sendgrid", "smtp2go", "sparkpost"],
)
def test_what_a_provider_reports_ends_the_subscription_once(service: Service, provider: str) -> None:
    bodies = {}
    for kind, who in PEOPLE.items():
        letter = service.confirmed(who)
        each = sample(f"{provider}/{kind}")
        # A letter that was pressed cannot have bounced; another mail to the same address, which is not ours, can.
        body = each.filled_in() if kind is FeedbackKind.HARD_BOUNCE else about(letter, each)
        bodies[kind] = posted(provider, body.replace(ADA, who))
    for kind, body in bodies.items():
        assert post(service, provider, body).status_code == 200
        assert weekly(service, PEOPLE[kind])["status"] == BECOMES[kind]
        assert not weekly(service, PEOPLE[kind])["mailable"]
    before = everything(service)
    for body in bodies.values():
        assert post(service, provider, body).status_code == 200
    assert everything(service) == before


@pytest.mark.parametrize(
    ("name", "status"),
    [("resend/complaint", "complained"), ("resend/hard_bounce", "bounced"), ("scaleway/hard_bounce", "bounced")],
)
def test_so_does_what_those_report_who_know_of_no_unsubscription(service: Service, name: str, status: str) -> None:
    service.confirmed()
    for _again in range(2):
        answer = post(service, sample(name).provider, posted(sample(name).provider, sample(name).filled_in()))
        assert (answer.status_code, answer.json) == (200, {"reports": 1})
        assert weekly(service)["status"] == status
    assert service.counts()["feedback_reports"] == 1


def test_smtp2go_posts_json_or_a_form(service: Service) -> None:
    service.confirmed()
    body = urlencode(json.loads(sample("smtp2go/complaint").filled_in()), doseq=True)
    answer = post(service, "smtp2go", body, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json) == (200, {"reports": 1})
    assert weekly(service)["status"] == "complained"


@pytest.mark.parametrize("provider", ["brevo", "mailgun", "scaleway", "sendgrid", "smtp2go", "sparkpost"])
def test_a_bounce_of_the_letter_that_asks_shows_in_its_state_and_ends_the_request(
    service: Service, provider: str
) -> None:
    service.subscribe()
    letter = service.letter()
    each = sample(f"{provider}/hard_bounce")
    # By the letter alone: the address is that of somebody else.
    body = posted(provider, about(letter, each).replace(ADA, "list@example.net"))
    assert post(service, provider, body).status_code == 200
    assert weekly(service)["status"] == "bounced"
    assert weekly(service)["confirmation_mail"]["state"] == "bounced"
    assert service.post(letter.link).status_code == 410


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("mailgun/soft_bounce-policy", "confirmed"),
        ("mailjet/soft_bounce-content", "confirmed"),
        ("sendgrid/soft_bounce-content", "confirmed"),
        ("sendgrid/soft_bounce-full", "bounced"),
    ],
)
def test_a_full_mailbox_is_given_up_in_the_end_and_for_a_refused_letter_none_is(
    service: Service, moved: Clock, name: str, status: str
) -> None:
    service.confirmed()
    for day in range(6):
        moved.shift(86_400)
        body = sample(name).filled_in(message_id=f"<{day}@example.net>").replace("1795186434", f"179518643{day}")
        assert post(service, sample(name).provider, body).json == {"reports": 1}
    assert service.counts()["feedback_reports"] == 6
    assert weekly(service)["status"] == status


def test_a_complaint_silences_every_newsletter_of_that_address(service: Service) -> None:
    service.confirmed(newsletters=["weekly", "events"])
    assert post(service, "postmark", sample("postmark/complaint").filled_in()).status_code == 200
    status = service.status()
    assert status
    assert {each["status"] for each in status.values()} == {"complained"}
    service.subscribe()
    assert service.work() == []


def test_nothing_happens_for_what_is_about_nobody_or_of_no_interest(service: Service) -> None:
    service.confirmed()
    before = everything(service)
    for name in ("brevo/nothing-delivered", "mailgun/nothing-will-be-tried-again", "postmark/nothing-reactivated"):
        assert post(service, sample(name).provider, sample(name).filled_in()).status_code == 200
    assert everything(service) == before


def test_whoever_does_not_know_the_secret_finds_nothing(service: Service, open_service: OpenService) -> None:
    service.confirmed()
    body = sample("brevo/complaint").filled_in()
    without = open_service(feedback=replace(CHANNELS, secret=None))
    unknown = service.post("/nowhere", data=body)
    before = everything(service)
    for answer in (
        post(service, "brevo", body, secret=SECRET[:-1]),
        post(service, "brevo", body, secret=SECRET + "a"),
        post(service, "brevo", body, secret="\u00e9" * 32),
        post(service, "nobody", body),
        post(without, "brevo", body),
        post(without, "brevo", body, secret="None"),
        without.get(f"/feedback/brevo/{SECRET}"),
    ):
        assert (answer.status_code, answer.data) == (404, unknown.data)
    assert everything(service) == before


def test_a_provider_may_ask_first_whether_there_is_such_an_address(service: Service) -> None:
    for secret, status in ((SECRET, 200), (SECRET[:-1], 404)):
        answer = service.app.test_client().head(f"/feedback/mandrill/{secret}")
        assert (answer.status_code, answer.data) == (status, b"")


def test_what_cannot_be_read_is_refused_and_what_is_too_much_as_well(service: Service) -> None:
    for body in (b"", b"{", b"\xff", b"[" * 100_000):
        for provider in ("brevo", "mandrill", "smtp2go"):
            answer = post(service, provider, body)
            assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert post(service, "brevo", b" " * (1024 * 1024 + 1)).status_code == 413


def test_a_batch_far_beyond_what_a_form_may_hold_is_taken(service: Service) -> None:
    service.confirmed()
    batch = [{"event": "delivered", "email": f"{number}@example.org", "reason": "x" * 700} for number in range(1000)]
    batch += json.loads(sample("mailjet/complaint").filled_in())
    assert len(json.dumps(batch)) > 700_000
    answer = post(service, "mailjet", json.dumps(batch), content_type="application/json")
    assert (answer.status_code, answer.json) == (200, {"reports": 1})
    assert weekly(service)["status"] == "complained"


POISON = {
    "sqlite": """CREATE TRIGGER poison BEFORE INSERT ON feedback_reports WHEN NEW.code = '5.9.9'
        BEGIN SELECT RAISE(ABORT, 'poison'); END""",
    "postgresql": "ALTER TABLE feedback_reports ADD CONSTRAINT poison CHECK (code != '5.9.9')",
}


def test_an_event_that_the_database_refuses_does_not_cost_the_others(
    open_service: OpenService, capsys: pytest.CaptureFixture[str]
) -> None:
    service = open_service(feedback=CHANNELS)
    service.confirmed()
    with service.database.writer.begin() as connection:
        connection.execute(text(POISON[connection.dialect.name]))
    (complaint,) = json.loads(sample("mailjet/complaint").filled_in())
    poison = {**complaint, "event": "bounce", "comment": "550 5.9.9", "email": "eve@example.org"}
    answer = post(service, "mailjet", json.dumps([poison, complaint]))
    assert answer.status_code == 500
    assert weekly(service)["status"] == "complained"
    logged = capsys.readouterr().out
    assert "feedback.failed" in logged
    assert "eve@" not in logged + answer.text
    assert "poison" not in logged + answer.text


def test_a_provider_is_to_post_again_while_the_database_is_away(settings: Settings) -> None:
    away = create_app(replace(settings, feedback=CHANNELS, database_url="sqlite:////nowhere/jawel.sqlite"))
    answer = away.test_client().post(f"/feedback/brevo/{SECRET}", data=sample("brevo/complaint").filled_in())
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_what_could_not_be_taken_is_taken_when_it_comes_again(service: Service) -> None:
    service.confirmed()
    with service.database.writer.begin() as connection:
        connection.execute(text("ALTER TABLE feedback_reports RENAME TO put_aside"))
    assert post(service, "brevo", sample("brevo/complaint").filled_in()).status_code >= 500
    with service.database.writer.begin() as connection:
        connection.execute(text("ALTER TABLE put_aside RENAME TO feedback_reports"))
    assert weekly(service)["status"] == "confirmed"
    assert post(service, "brevo", sample("brevo/complaint").filled_in()).status_code == 200
    assert weekly(service)["status"] == "complained"


def test_the_same_report_from_several_hands_at_once_is_taken_once(service: Service) -> None:
    service.confirmed()
    body = sample("brevo/complaint").filled_in()
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(post(service, "brevo", body).status_code)) for _each in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 4
    assert service.events().count("subscription.complained") == 1
    assert service.counts()["feedback_reports"] == 1


@pytest.mark.parametrize("accept", ["application/json", BROWSER["Accept"]])
def test_neither_log_nor_answer_holds_the_secret_or_the_address(
    open_service: OpenService, accept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service = open_service(feedback=replace(CHANNELS, mailgun_signing_key="the key of mailgun"))
    service.confirmed()
    answers = [
        post(service, provider, body, headers={"Accept": accept})
        for provider, body in (
            ("brevo", sample("brevo/complaint").filled_in()),
            ("brevo", b"{"),
            ("brevo", b" " * 2_000_000),
            ("mailgun", sample("mailgun/complaint").filled_in()),
            ("unknown", b"{}"),
        )
    ]
    answers.append(service.get(f"/feedback/brevo/{SECRET}", headers={"Accept": accept}))
    assert [answer.status_code for answer in answers] == [200, 422, 413, 403, 404, 405]
    logged = capsys.readouterr().out
    assert '"outcome": "taken"' in logged
    for text_ in (logged, *(answer.text for answer in answers)):
        assert SECRET not in text_
        assert ADA not in text_
