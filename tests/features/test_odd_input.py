"""Fields of any type and text, as Hypothesis finds them: the service answers, and does not break."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bodies import JSON
from tests.service import BROWSER, Service

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)
ADDRESS_LIKE = st.builds("{}@{}".format, st.text(max_size=70), st.text(max_size=70) | st.just("example.org"))


@given(
    email=ADDRESS_LIKE | ANYTHING,
    newsletters=st.just("weekly") | ANYTHING,
    rest=st.dictionaries(
        st.sampled_from(["language", "redirect", "website", "attempt", "rendered", "proof_of_work"]),
        ANYTHING,
        max_size=2,
    ),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_field_however_odd_breaks_the_service(
    service: Service, email: object, newsletters: object, rest: dict[str, object]
) -> None:
    body = json.dumps({"email": email, "newsletters": newsletters, "consent": True, **rest})
    answer = service.post("/subscribe", data=body, content_type=JSON)
    assert answer.status_code in {202, 413, 422, 429}


@given(
    email=ADDRESS_LIKE | st.text(),
    headers=st.fixed_dictionaries(
        {name: st.text(st.characters(min_codepoint=32, max_codepoint=255)) for name in ("Referer", "Accept-Language")}
    ),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_form_however_odd_breaks_the_service(service: Service, email: str, headers: dict[str, str]) -> None:
    form = {"email": email.encode("utf-8", "replace"), "newsletters": "weekly", "consent": "yes"}
    answer = service.post("/subscribe", data=form, headers={**BROWSER, **headers})
    assert answer.status_code in {303, 413, 422, 429}
