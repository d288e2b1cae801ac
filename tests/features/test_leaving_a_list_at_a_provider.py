"""Somebody leaves one list at the mail provider: the catalogue says which newsletter that is."""

import pytest
from structlog.testing import capture_logs

from tests.catalogues import catalogue
from tests.features.conftest import OpenService
from tests.feedback_samples import sample
from tests.providers import CHANNELS, about, post
from tests.service import ADA, Service

LISTS = ["mailjet/1", "postmark/broadcast", "sendgrid/10"]
LEFT = {
    "mailjet": sample("mailjet/unsubscribe").filled_in(),
    "postmark": sample("postmark/unsubscribe").filled_in().replace('"outbound"', '"broadcast"'),
    "sendgrid": sample("sendgrid/unsubscribe-group").filled_in(),
}


@pytest.fixture
def service(open_service: OpenService) -> Service:
    service = open_service(feedback=CHANNELS, catalogue=catalogue(provider_lists=LISTS))
    service.confirmed(newsletters=["weekly", "events"])
    return service


def statuses(service: Service) -> dict[str, str]:
    return {slug: each["status"] for slug, each in (service.status() or {}).items()}


@pytest.mark.parametrize("provider", sorted(LEFT))
def test_whoever_leaves_its_list_leaves_that_newsletter_and_keeps_the_other(service: Service, provider: str) -> None:
    assert post(service, provider, LEFT[provider]).status_code == 200
    assert statuses(service) == {"weekly": "unsubscribed", "events": "confirmed"}


def test_a_list_that_the_catalogue_does_not_know_leaves_all_and_the_log_says_so(service: Service) -> None:
    with capture_logs() as logs:
        assert post(service, "sendgrid", LEFT["sendgrid"].replace('"asm_group_id": 10', '"asm_group_id": 11')).json
    assert statuses(service) == {"weekly": "unsubscribed", "events": "unsubscribed"}
    assert [line["list"] for line in logs if line["event"] == "feedback.list_unknown"] == ["sendgrid/11"]


def test_so_does_whoever_leaves_everything_there(service: Service) -> None:
    assert post(service, "sendgrid", sample("sendgrid/unsubscribe").filled_in()).status_code == 200
    assert statuses(service) == {"weekly": "unsubscribed", "events": "unsubscribed"}


def test_a_letter_about_no_newsletter_is_about_all_of_them(service: Service) -> None:
    service.post("/preferences", data={"email": ADA})
    body = about(service.letter(), sample("sendgrid/unsubscribe"))
    assert post(service, "sendgrid", body).status_code == 200
    assert statuses(service) == {"weekly": "unsubscribed", "events": "unsubscribed"}


def test_a_letter_outweighs_the_list(service: Service) -> None:
    service.subscribe("grace@example.org", newsletters=["events"])
    letter = service.letter()
    body = about(letter, sample("sendgrid/unsubscribe-group"))
    assert post(service, "sendgrid", body).status_code == 200
    grace = service.status("grace@example.org")
    assert grace
    assert grace["events"]["status"] == "unsubscribed"
    assert statuses(service) == {"weekly": "confirmed", "events": "confirmed"}
