"""The whole API, asked whatever its description allows and much that it does not."""

from collections.abc import Callable

import pytest

from app.api_keys import Scope
from tests.commands import Jawel, serving
from tests.service import ADA, Service
from trials import openapi

EXAMPLES = 10


@pytest.fixture
def engine() -> str:
    return "sqlite"


def test_no_question_is_answered_otherwise_than_described(
    service: Service, jawel: Jawel, record_property: Callable[[str, object], None]
) -> None:
    service.confirmed()
    service.work()
    subscription = service.status()["weekly"]["id"]
    jawel.environment["RATE_LIMIT_SUBSCRIBE"] = "1000000"
    with serving(jawel, "--no-worker") as running:
        url = f"http://127.0.0.1:{running.port}"
        explored = openapi.explore(url, service.key(Scope.ADMIN), openapi.known(ADA, subscription), EXAMPLES)
    assert explored.faults == {}
    record_property("openapi", f"{explored.cases} cases")
