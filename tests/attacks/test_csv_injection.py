"""A list of subscribers runs no formula in a spreadsheet, and reads back letter by letter in a program."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.spreadsheets import inert
from tests.service import Service

STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")  # noqa: RUF001 - full width is meant
ATEXT = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~＝＋－＠", min_size=1, max_size=20)  # noqa: RUF001


def listed(service: Service) -> list[str]:
    headers = {**service.key(), "Accept": "text/csv"}
    answer = service.get("/api/v1/newsletters/weekly/subscribers?limit=1000", headers=headers)
    return [row["email"] for row in csv.DictReader(io.StringIO(answer.text))]


@given(names=st.lists(ATEXT, min_size=1, max_size=20))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_cell_begins_like_a_formula_and_a_program_gets_each_address_back(service: Service, names: list[str]) -> None:
    taken = [email for name in names if service.subscribe(email := f"{name}@example.org").status_code == 202]
    cells = listed(service)
    assert not [cell for cell in cells if cell.startswith(STARTS)]
    read = {cell.removeprefix("'") for cell in cells}
    assert {email.lower() for email in taken} <= {each.lower() for each in read}


@pytest.mark.parametrize("start", ["＝", "＋", "－"])  # noqa: RUF001 - full width is meant
def test_a_sign_of_full_width_begins_a_formula_too(service: Service, start: str) -> None:
    assert service.subscribe(f"{start}1@example.org").status_code == 202
    assert listed(service) == [f"'{start}1@example.org"]


def test_the_apostrophe_in_front_is_always_one_of_ours(service: Service) -> None:
    for email in ("=1+1@example.org", "'=1+1@example.org", "'ada@example.org"):
        assert service.subscribe(email).status_code == 202
    assert sorted(listed(service)) == ["''=1+1@example.org", "''ada@example.org", "'=1+1@example.org"]


@given(st.text(max_size=5), st.sampled_from(["", *STARTS, "'"]))
def test_each_cell_is_inert_and_reads_back(rest: str, start: str) -> None:
    written = inert(start + rest)
    assert not written.startswith(STARTS)
    assert written.removeprefix("'") == start + rest
