"""The figures that monitors are told."""

from prometheus_client.parser import text_string_to_metric_families as parsed

from app.api_keys import Scope
from tests.service import Service

Labels = tuple[str, ...]


def figures(service: Service) -> dict[tuple[str, Labels], float]:
    """By name and the values of its labels."""
    answer = service.get("/metrics", headers=service.key(Scope.METRICS_READ))
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    samples = [sample for family in parsed(answer.text) for sample in family.samples]
    found = {(sample.name, tuple(sample.labels.values())): sample.value for sample in samples}
    assert len(found) == len(samples), "no figure stands there twice"
    return found


def figure(service: Service, name: str, *labels: str) -> float:
    return figures(service)[f"jawel_{name}", labels]
