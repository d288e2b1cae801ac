"""The description of the API: it is valid, it leaves out no route, and answers keep to it."""

import re
from typing import Any

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import TestResponse

from app.api_keys import Scope
from tests.api_paths import LOOKUP, PAGE, UNSUBSCRIBE
from tests.service import ADA, BROWSER, Service


def test_the_description_is_valid_and_answers_keep_to_it(service: Service) -> None:
    document = service.get("/openapi.json").get_json()
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1")
    service.confirmed()
    key = service.key(Scope.ADMIN)
    status = f"/api/v1/subscribers/{ADA}"
    receipt = f"/api/v1/subscriptions/{service.status()['weekly']['id']}/receipt"
    for path, answer in {
        "/api/v1/subscribers/{who}": service.get(status, headers=key),
        "/api/v1/newsletters/{slug}/subscribers": service.get(PAGE, headers=key),
        LOOKUP: service.post(LOOKUP, headers=key, json={"newsletter": "weekly", "emails": [ADA, "x"]}),
        UNSUBSCRIBE: service.post(UNSUBSCRIBE, headers=key, json={"email": ADA, "all": True}),
        "/api/v1/subscriptions/{subscription}/receipt": service.get(receipt, headers=key),
        "/subscribe": service.subscribe("new@example.org"),
    }.items():
        assert_described(document, path, answer)
    assert_described(document, "/subscribe", service.subscribe("new@"))
    assert_described(document, LOOKUP, service.post(LOOKUP, headers=key, json={}))
    assert_described(document, LOOKUP, service.post(LOOKUP, json={}))


def assert_described(document: dict[str, Any], path: str, answer: TestResponse) -> None:
    responses = document["paths"][path][answer.request.method.lower()]["responses"]
    response = resolved(document, responses.get(str(answer.status_code), responses.get("default")))
    schema = response["content"][answer.mimetype]["schema"]
    OAS31Validator({**schema, "components": document["components"]}).validate(answer.get_json(force=True))


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    found: Any = node
    while "$ref" in found:
        target, found = found["$ref"], document
        for step in target.removeprefix("#/").split("/"):
            found = found[step]
    return dict(found)


def test_every_route_of_the_api_is_described(service: Service) -> None:
    document = service.get("/openapi.json").get_json()
    routes = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in service.app.url_map.iter_rules()}
    assert {route for route in routes if route.startswith("/api/")} == {
        path for path in document["paths"] if path.startswith("/api/")
    }


def test_the_documentation_page_runs_no_script_but_ours(service: Service) -> None:
    page = service.get("/docs", headers=BROWSER)
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert not re.findall(r'(?:src|href)="(?!/)', page.text)
