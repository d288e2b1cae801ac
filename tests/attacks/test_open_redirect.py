"""People are sent to the pages that the catalogue names, letter by letter, and nowhere else."""

from tests.catalogues import CATALOGUE
from tests.features.conftest import OpenService
from tests.service import ADA, Service

THANKS = "https://example.org/thanks"
LOOK_ALIKES = [
    "//evil.example",
    "///evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:\\\\evil.example",
    "HTTPS://EXAMPLE.ORG/thanks",
    "https://example.org/Thanks",
    "https://example.org/thanks/",
    "https://example.org./thanks",
    "https://example.org:443/thanks",
    "https://example.org@evil.example/thanks",
    "https://user:word@example.org/thanks",
    "https://example.org%2eevil.example/thanks",
    "https://example.org.evil.example/thanks",
    "https://ex\u0430mple.org/thanks",
    "https://example.org\u3002evil.example/thanks",
    "https://example.org/thanks#//evil.example",
    "https://example.org/thanks%0d%0aLocation:%20//evil.example",
    "https://example.org/thanks\t",
    " https://example.org/thanks",
    "http://example.org/thanks",
    "data:text/html,x",
]


def test_what_only_looks_like_a_page_of_the_list_is_refused(open_service: OpenService) -> None:
    service = open_service(rate_limit_subscribe=1000)
    for target in LOOK_ALIKES:
        answer = service.submit(redirect=target)
        assert (answer.status_code, answer.headers.get("Location")) == (422, None), target
        assert "evil" not in answer.headers["Content-Security-Policy"]
        assert service.subscribe(redirect=target).status_code == 422, target


def test_one_newsletters_page_is_not_anothers(open_service: OpenService) -> None:
    weekly, events, *rest = CATALOGUE["newsletter"]
    own = {**events, "redirects": ["https://example.org/events"]}
    service = open_service({**CATALOGUE, "newsletter": [weekly, own, *rest]})
    assert service.submit(newsletters="events", redirect=THANKS).status_code == 422
    assert service.submit(redirect=THANKS).location == THANKS


def test_no_page_but_signup_is_told_where_to_go_on(service: Service) -> None:
    service.submit()
    link = service.letter().link
    browser = {"Accept": "text/html"}
    names = ("redirect", "next", "url", "return_to", "confirmed_redirect", "continue")
    evil = dict.fromkeys(names, "https://evil.example/")
    for path in (link, f"{link}/decline"):
        for answer in (
            service.get(path, query_string=evil, headers=browser),
            service.post(path, query_string=evil, data=evil, headers=browser),
        ):
            assert "evil.example" not in answer.text + str(answer.headers)
    assert service.status(ADA)["weekly"]["status"] == "unsubscribed"
