"""Mails that are damaged, or no mails at all: they are read as far as it goes, and are no reports."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as some

from app.feedback import inbound
from app.links import Links
from app.tokens import Signer
from tests.commands import ROOT

MAILBOX = "bounces@example.net"
BOUNCES = ROOT / "tests" / "bounces"
LINKS = Links("", Signer(("a secret key for tests that is of some length",)), MAILBOX)
SAMPLES = sorted(BOUNCES.glob("*.eml"))


@given(some.binary(max_size=2000) | some.text(max_size=500).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_are_a_report(raw: bytes) -> None:
    assert inbound.read(raw, None, LINKS) == []


@given(sample=some.sampled_from(SAMPLES), cut=some.integers(0, 3000), noise=some.binary(max_size=20))
def test_a_mail_that_is_damaged_is_read_as_far_as_it_goes(sample: Path, cut: int, noise: bytes) -> None:
    raw = sample.read_bytes()
    inbound.read(raw[:cut] + noise + raw[cut + len(noise) :], None, LINKS)
