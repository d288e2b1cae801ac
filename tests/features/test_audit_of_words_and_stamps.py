"""The audit of what stands beside the log: the words that people were shown, and time stamps on checkpoints."""

import hashlib

import pytest
from sqlalchemy import text

from tests.commands import Jawel
from tests.features.conftest import OpenService
from tests.log import audited, grow, without_triggers
from tests.service import Service
from tests.timestamps import Authority

SHA256 = bytes.fromhex("0609608648016503040201")
"""Its object identifier, in DER."""


@pytest.fixture
def anchored(open_service: OpenService, authority: Authority) -> Service:
    """A log of three events, and one time stamp."""
    service = open_service(timestamp_authorities=(authority.url.replace("http://", "http://jawel:sesame@"),))
    service.confirmed()
    service.work()
    assert service.counts()["anchors"] == 1
    assert audited(service) == []
    return service


def test_words_that_were_changed_after_people_agreed_to_them_are_found(service: Service, jawel: Jawel) -> None:
    service.confirmed()
    words = service.rows("SELECT sha256, text FROM wordings WHERE text LIKE 'Yes,%'")[0]
    assert audited(service) == []
    with without_triggers(service.database) as connection:
        connection.execute(
            text("UPDATE wordings SET text = text || ' And all else.' WHERE sha256 = :it"), {"it": words.sha256}
        )
    finding = f"wording {words.sha256}: its text has another SHA-256, so it is not what people were shown"
    assert audited(service) == [finding]
    result = jawel("ledger", "audit")
    assert (result.exit_code, result.stdout) == (1, f"{finding}\n")


@pytest.mark.parametrize("engine", ["sqlite"])
def test_words_that_are_no_text_any_more_are_found(service: Service) -> None:
    with without_triggers(service.database) as connection:
        connection.execute(text("UPDATE wordings SET text = CAST(x'ff00' AS TEXT)"))
    assert len(audited(service)) == service.counts()["wordings"]


def test_a_time_stamp_put_beside_another_checkpoint_is_found(anchored: Service) -> None:
    size, _stamped = stamp(anchored)
    grow(anchored, [6])
    move(anchored, size, to=6)
    assert audited(anchored) == [named(6, "the authority's answer is about something else")]
    move(anchored, 6, to=5)
    assert audited(anchored) == [named(5, "there is no such checkpoint")]
    move(anchored, 5, to=size)
    assert audited(anchored) == []


def test_each_byte_by_which_a_time_stamp_is_about_a_checkpoint_counts(anchored: Service) -> None:
    size, stamped = stamp(anchored)
    note = anchored.rows(f"SELECT note FROM checkpoints WHERE size = {size}")[0].note
    digest = hashlib.sha256(note.encode()).digest()
    begin = stamped.index(digest)
    algorithm = stamped.rindex(SHA256, 0, begin)
    for byte in (*range(begin, begin + 32), *range(algorithm, algorithm + len(SHA256))):
        assert_found(anchored, size, flipped(stamped, byte, byte % 8))


def test_an_answer_that_was_damaged_is_a_finding_and_never_the_end_of_the_audit(anchored: Service) -> None:
    size, stamped = stamp(anchored)
    for damaged in (b"", stamped[:-1], stamped[: len(stamped) // 2], b"no DER at all", flipped(stamped, 0, 3)):
        assert_found(anchored, size, damaged)


def stamp(service: Service) -> tuple[int, bytes]:
    found = service.rows("SELECT size, response FROM anchors ORDER BY size DESC")[0]
    return found.size, bytes(found.response)


def move(service: Service, size: int, to: int) -> None:
    with without_triggers(service.database) as connection:
        connection.execute(text("UPDATE anchors SET size = :to WHERE size = :size"), {"size": size, "to": to})


def assert_found(service: Service, size: int, response: bytes) -> None:
    with without_triggers(service.database) as connection:
        connection.execute(text("UPDATE anchors SET response = :it WHERE size = :size"), {"it": response, "size": size})
    found = audited(service)
    assert found in (
        [named(size, "the authority's answer cannot be read")],
        [named(size, "the authority's answer is about something else")],
    )


def named(size: int, finding: str) -> str:
    """The authority's address holds a password, which is for no log and no terminal."""
    return f"anchor of checkpoint {size} by 127.0.0.1: {finding}"


def flipped(data: bytes, byte: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[byte] ^= 1 << bit
    return bytes(changed)
