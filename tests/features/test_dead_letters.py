"""Dead letters: kept with their reason, listed without an address, tried again or dropped by hand."""

from app.api_keys import Scope
from tests.commands import Jawel
from tests.service import ADA, Service


def dead(service: Service) -> str:
    """Its id."""
    service.subscribe()
    service.mail.answers_to_data = ["554 5.7.1 we do not like it"]
    assert service.work() == []
    return str(service.rows("SELECT id FROM letters")[0].id)


def listed(jawel: Jawel, *options: str) -> list[list[str]]:
    printed = jawel("letters", "list", *options)
    assert ADA not in printed.stdout
    return [line.split("\t") for line in printed.stdout.splitlines()]


def test_a_letter_refused_for_good_is_kept_and_goes_when_it_is_tried_again(service: Service, jawel: Jawel) -> None:
    dead(service)
    (line,) = listed(jawel, "--state", "failed")
    assert (*line[1:4], *line[5:]) == ("confirmation", "weekly", "failed", "1", "554 5.7.1")
    assert service.work() == []
    assert jawel("letters", "retry", line[0]).stdout == "1 letter is owed anew.\n"
    assert listed(jawel)[0][3] == "queued"
    assert service.post(service.letter().link).status_code == 200
    assert listed(jawel) == []


def test_all_of_a_state_are_tried_again_and_what_is_untrue_by_now_is_not_sent(service: Service, jawel: Jawel) -> None:
    dead(service)
    service.post(
        "/api/v1/unsubscribe", json={"email": ADA, "newsletter": "weekly"}, headers=service.key(Scope.SUBSCRIBERS_WRITE)
    )
    assert jawel("letters", "retry", "--all", "--state", "failed").stdout == "1 letter is owed anew.\n"
    assert [letter.subject for letter in service.deliver() if letter.links] == []
    assert {line[3] for line in listed(jawel, "--state", "dropped")} == {"dropped"}


def test_a_letter_that_is_dropped_is_never_sent(service: Service, jawel: Jawel) -> None:
    service.subscribe()
    (line,) = listed(jawel)
    assert jawel("letters", "drop", line[0]).stdout == "1 letter is dropped.\n"
    assert service.work() == []
    assert service.status()["weekly"]["status"] == "pending"
    again = jawel("letters", "drop", line[0])
    assert again.exit_code == 1
    assert line[0] in again.stderr


def test_it_is_said_what_is_missing(service: Service, jawel: Jawel) -> None:
    for options in ([], ["--all"], ["--state", "failed"]):
        assert "Give ids, or --all with --state." in jawel("letters", "retry", *options).stderr
