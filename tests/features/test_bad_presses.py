"""Buttons pressed with a body that nobody expects: leaving and declining take any, and nothing else happens by one."""

import pytest

from tests.bodies import DEEP, FORM, JSON
from tests.service import BROWSER, Service

ANY_BODY = [
    (b"", ""),
    (DEEP.encode(), JSON),
    (b"[]", JSON),
    (b"null", JSON),
    (b'{"all": ' + b"1" * 5000 + b"}", JSON),
    (b'{"all": [1]}', JSON),
    (b"\xff\xfe", JSON),
    (b"a" * 1_000_000, JSON),
    (b"all=0&x=" + b"a" * 1_000_000, FORM),
    (b"all=%00&List-Unsubscribe=%ff", FORM),
    (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
    (b"--x", "multipart/form-data"),
    (b"<xml/>", "text/xml"),
]


@pytest.mark.parametrize(("body", "content_type"), ANY_BODY)
def test_leaving_takes_any_body(service: Service, body: bytes, content_type: str) -> None:
    service.confirmed()
    leave = service.status()["weekly"]["links"]["unsubscribe"].removeprefix("https://subscribe.example.org")
    assert service.post(leave, data=body, content_type=content_type or None).status_code == 200
    assert service.status()["weekly"]["status"] == "unsubscribed"


@pytest.mark.parametrize(("body", "content_type"), ANY_BODY)
def test_declining_takes_any_body(service: Service, body: bytes, content_type: str) -> None:
    service.subscribe()
    assert service.post(service.letter().one_click, data=body, content_type=content_type or None).status_code == 200
    assert service.status() is None


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", JSON, 422),
        ("[]", JSON, 422),
        (DEEP, JSON, 422),
        ('{"newsletters": []}', JSON, 422),
        ('{"newsletters": [["weekly"]]}', JSON, 422),
        ('{"newsletters": [{}]}', JSON, 422),
        ('{"newsletters": {"weekly": 1}}', JSON, 422),
        ('{"newsletters": null}', JSON, 422),
        ('{"newsletters": "events"}', JSON, 422),
        ('{"newsletters": ["weekly", "\\u0000"]}', JSON, 422),
        ("newsletters=%00", FORM, 422),
        ("newsletters=&choose=1", FORM, 422),
        ("a" * 1_000_000, JSON, 413),
        ("<xml/>", "text/xml", 415),
    ],
)
def test_a_bad_press_confirms_nothing(service: Service, body: str, content_type: str, status: int) -> None:
    service.subscribe()
    link = service.letter().link
    before = service.counts()
    assert service.post(link, data=body, content_type=content_type).status_code == status
    page = service.post(link, data=body, content_type=content_type, headers=BROWSER)
    assert (page.status_code, page.mimetype) == (status, "text/html")
    assert service.counts() == before
    assert service.status()["weekly"]["status"] == "pending"


@pytest.mark.parametrize("body", ["leave=%00", "leave=nothing", "all=yes", "all=%00", "%ff", ""])
def test_a_bad_wish_on_the_preferences_page_ends_nothing(service: Service, body: str) -> None:
    service.confirmed()
    path = service.status()["weekly"]["links"]["preferences"].removeprefix("https://subscribe.example.org")
    before = service.counts()
    assert service.post(path, data=body, content_type=FORM, headers=BROWSER).status_code == 200
    assert service.counts() == before
