"""No path, name or language leads out of the folder or the table that it is looked up in."""

from app.resources import resources_of
from config import Environment
from tests.features.conftest import OpenService
from tests.service import BROWSER, Service

CLIMBS = [
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "..%252f",
    "..\\",
    "..%5c",
    "....//",
    "..;/",
    "%c0%ae%c0%ae/",
    "/",
    "%2f",
    "//",
    "./../",
    "x/../../",
]
BELOW = ["/static/", "/static/swagger-ui/", "/mailbox/", "/newsletters/", "/privacy/", "/receipts/", "/confirm/"]
SECRET = "a line that no answer may hold"


def test_no_path_leads_out_of_its_folder(open_service: OpenService) -> None:
    service = open_service(environment=Environment.DEVELOPMENT)
    instance = resources_of(service.app).settings.instance
    (instance / "mailbox").mkdir(parents=True)
    for name in ("secrets.json", "mailbox/other.txt"):
        (instance / name).write_text(SECRET)
    for below in BELOW:
        for climb in CLIMBS:
            for file in (f"{climb}secrets.json", f"{climb}templates/pages/base.html", f"{climb * 8}etc/passwd"):
                answer = service.get(f"{below}{file}")
                assert answer.status_code == 404, answer.request.path
                assert SECRET not in answer.text
                assert "root:" not in answer.text
    assert service.get("/mailbox/other.txt").status_code == 404


def test_no_language_leads_to_another_file(service: Service) -> None:
    for climb in CLIMBS:
        for language in (f"{climb}nl", f"{climb * 8}etc/passwd"):
            asked = service.get("/newsletters/weekly", query_string={"language": language}, headers=BROWSER)
            assert asked.status_code == 200
            assert '<html lang="en"' in asked.text
            assert "root:" not in asked.text
        assert service.submit(language=f"{climb}etc/passwd").status_code == 422
