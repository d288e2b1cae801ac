"""Link scanners, prefetchers and the curious: whatever is read, nothing is written."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.api_keys import Scope
from tests.refusing import refusing_writes
from tests.service import BROWSER, Service, everything
from tests.urls import urls


def test_every_page_is_read_while_the_database_refuses_to_write(service: Service, tokens: dict[str, str]) -> None:
    every = urls(service, tokens)
    key = {**service.key(Scope.ADMIN), "X-Request-Id": "a-glance"}
    before = everything(service)
    with refusing_writes(service):
        assert_writes_are_refused(service)
        for url in every:
            for headers in ({**BROWSER, **key}, {**key, "Accept": "application/json"}, {**key, "Accept": "text/csv"}):
                read = service.get(url, headers=headers, buffered=True)
                assert read.status_code == 200, url
                glanced = service.app.test_client().head(url, headers=headers, buffered=True)
                assert (glanced.status, glanced.data) == (read.status, b""), url
                assert sorted(glanced.headers) == sorted(read.headers), url
    assert everything(service) == before


def test_pages_that_answer_with_an_error_write_nothing_either(service: Service, tokens: dict[str, str]) -> None:
    letter = service.confirmed("lovelace@example.org")
    service.post(letter.one_click)
    key = service.key()
    before = everything(service)
    with refusing_writes(service):
        for url, status in {
            letter.link: 410,
            "/confirm/forged": 404,
            "/newsletters/unknown": 404,
            "/api/v1/subscribers/nobody@example.org": 404,
        }.items():
            assert service.get(url, headers={**BROWSER, **key}).status_code == status, url
    assert everything(service) == before


def assert_writes_are_refused(service: Service) -> None:
    assert service.subscribe("new@example.org").status_code in {500, 503}
    with pytest.raises(DBAPIError):
        service.key()
    with service.database.reader.connect() as connection, pytest.raises(DBAPIError):
        connection.execute(text("DELETE FROM letters"))
