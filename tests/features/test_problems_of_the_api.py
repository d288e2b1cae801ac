"""What a program is told about a question that cannot be answered: which field, and what to do."""

import pytest

from app.api_keys import Scope
from tests.service import ADA, Service


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"newsletter": "weekly"}, "emails"),
        ({"newsletter": "weekly", "emails": [ADA, 7]}, "emails.1"),
        ({"newsletter": "weekly", "emails": [ADA], "newsletters": []}, "newsletters"),
        ({"newsletter": "monthly", "emails": [ADA]}, "newsletter"),
    ],
)
def test_a_lookup_that_cannot_be_read_names_its_field(service: Service, question: object, field: str) -> None:
    answer = service.post("/api/v1/subscribers/lookup", json=question, headers=service.key())
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert list(answer.get_json()["errors"]) == [field]


def test_a_body_that_is_not_json_is_told_so(service: Service) -> None:
    headers = {**service.key(), "Content-Type": "application/json"}
    answer = service.post("/api/v1/subscribers/lookup", data="{", headers=headers)
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]) == ["body"]


def test_an_unsubscription_of_nothing_in_particular_names_its_field(service: Service) -> None:
    answer = service.post("/api/v1/unsubscribe", json={"email": ADA}, headers=service.key(Scope.SUBSCRIBERS_WRITE))
    assert answer.get_json()["errors"] == {"newsletter": ["Name a newsletter, or send all: true."]}


def test_a_page_that_is_too_long_names_its_field(service: Service) -> None:
    answer = service.get("/api/v1/newsletters/weekly/subscribers?limit=5000", headers=service.key())
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]) == ["limit"]
