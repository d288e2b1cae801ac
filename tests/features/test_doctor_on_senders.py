"""What the doctor says of who letters come from: one organisation on both, and the records of its domain in DNS."""

import dns.rcode
import pytest

from app.cli import doctor_sender
from tests.catalogues import CATALOGUE
from tests.commands import Jawel, findings
from tests.engines import on_sqlite
from tests.features.conftest import OpenService
from tests.name_server import NameServer
from tests.service import Service

pytestmark = on_sqlite
IN_DNS = ("SPF", "DKIM", "DMARC")


def sent_from(open_service: OpenService, *senders: str) -> None:
    """A service whose newsletters have these senders."""
    pairs = zip(CATALOGUE["newsletter"], senders or ("news@example.org",), strict=False)
    open_service({**CATALOGUE, "newsletter": [{**each, "sender": sender} for each, sender in pairs]})


def line(jawel: Jawel, thing: str, **variables: str) -> str:
    """What the doctor says of one thing, which is never that it fails."""
    result = jawel("doctor", **variables)
    assert result.exit_code == 0, result.output
    (found,) = [each for each in result.stdout.splitlines() if each[6:].startswith(f"{thing}: ")]
    return f"{found[:6].strip()} {found[6:].removeprefix(f'{thing}: ')}"


def test_a_domain_in_order(service: Service, jawel: Jawel) -> None:
    assert line(jawel, "sender") == "ok `From` and the envelope sender are both in example.org"
    assert line(jawel, "SPF") == "ok example.org has one record"
    assert line(jawel, "DKIM").startswith("ok example.org publishes keys; `Authentication-Results` in a received")
    assert line(jawel, "DMARC") == "ok example.org has p=reject"


@pytest.mark.parametrize("address", ["bounces@example.net", "bounces@example.org.example.com", "bounces@org"])
def test_an_envelope_sender_of_another_organisation_is_told(service: Service, jawel: Jawel, address: str) -> None:
    said = line(jawel, "sender", FEEDBACK_ADDRESS=address)
    assert said.startswith(f"warn letters from example.org have their envelope sender in {address[8:]}, another")
    assert said.endswith("Set FEEDBACK_ADDRESS to an address in example.org")
    assert line(jawel, "sender", FEEDBACK_ADDRESS=address, MAIL_ENVELOPE="plain").startswith("ok ")


@pytest.mark.parametrize(
    ("sender", "address", "state"),
    [
        ("news@letters.example.org", "bounces@mail.example.org", "ok"),
        ("news@letters.example.co.uk", "bounces@mail.example.co.uk", "ok"),
        ("news@example.co.uk", "bounces@example.com.co.uk", "warn"),
        ("news@example.co.uk", "bounces@another.co.uk", "warn"),
        ("news@BÜCHER.example", "bounces@mail.xn--bcher-kva.example", "ok"),
        ("news@example.org", "bounces@Mail.Example.ORG", "ok"),
    ],
)
def test_an_organisation_is_what_somebody_registered(
    open_service: OpenService, jawel: Jawel, sender: str, address: str, state: str
) -> None:
    sent_from(open_service, sender)
    assert line(jawel, "sender", FEEDBACK_ADDRESS=address).startswith(state)


@pytest.mark.parametrize("domain", ["gmail.com", "outlook.com", "hotmail.co.uk", "telenet.be", "web.de"])
def test_a_sender_at_a_mail_provider_is_told_and_its_records_are_its_own(
    open_service: OpenService, jawel: Jawel, dns_server: NameServer, domain: str
) -> None:
    sent_from(open_service, f"ada.example@{domain}")
    said = line(jawel, "sender")
    assert said.startswith(f"warn {domain} is a mail provider's")
    assert said.endswith("Send from a domain of your own")
    assert "ada" not in said
    for thing in IN_DNS:
        assert line(jawel, thing) == "ok nothing to check"
    assert dns_server.asked == []


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], "warn example.org has no record; publish one that names the mail server, such as `v=spf1 mx ~all`"),
        (["v=spf10 -all", "spf1"], "warn example.org has no record"),
        (["v=spf1 mx -all", "V=SPF1 a -all"], "warn example.org has 2 records, which is an error to receivers"),
        (["v=spf1 -all"], "warn example.org says that it sends no mail; name the mail server in its record"),
        (["v=spf1 -all", "v=spf1 mx"], "warn example.org has 2 records"),
        (["V=SPF1 MX"], "ok example.org has one record"),
        ([f"v=spf1 {'ip4:192.0.2.1 ' * 30}-all"], "ok example.org has one record"),
    ],
)
def test_the_domain_has_exactly_one_spf_record(
    service: Service, jawel: Jawel, dns_server: NameServer, texts: list[str], expected: str
) -> None:
    dns_server.texts["example.org"] = texts
    assert line(jawel, "SPF").startswith(expected)


def test_spf_is_that_of_the_envelope_sender(service: Service, jawel: Jawel, dns_server: NameServer) -> None:
    dns_server.texts |= {"example.org": [], "mail.example.org": ["v=spf1 mx -all"]}
    assert line(jawel, "SPF", FEEDBACK_ADDRESS="bounces@mail.example.org") == "ok mail.example.org has one record"


def test_a_domain_that_does_not_exist_is_told(open_service: OpenService, jawel: Jawel) -> None:
    sent_from(open_service, "news@exmaple.org")
    assert line(jawel, "SPF").startswith("warn exmaple.org does not exist in DNS")
    assert line(jawel, "DKIM").startswith("warn nothing is published below _domainkey.exmaple.org; have the mail")
    assert line(jawel, "DMARC").startswith("warn exmaple.org has no record, which large receivers ask for")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], "warn example.org has no record, which large receivers ask for; publish one at _dmarc.example.org"),
        (["v=DMARC10; p=none", "p=none"], "warn example.org has no record"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "warn example.org has 2 records, and receivers heed none"),
        (["v=DMARC1; p=none; rua=mailto:reports@example.org"], "ok example.org has p=none"),
        (["v=DMARC1;p=Quarantine"], "ok example.org has p=quarantine"),
        # The name of the policy is where one string of the record ends and the next begins.
        ([f"v=DMARC1; rua={'r' * 180}; p=reject"], "ok example.org has p=reject"),
        (["v=DMARC1; p=\x1b[31m"], "warn the record of example.org has no policy; add `p=none`"),
        (["v=DMARC1"], "warn the record of example.org has no policy"),
        (["v=DMARC1; p=reject; sp=none"], "ok example.org has p=reject"),
    ],
)
def test_the_policy_of_dmarc_is_told(
    service: Service, jawel: Jawel, dns_server: NameServer, texts: list[str], expected: str
) -> None:
    dns_server.texts["_dmarc.example.org"] = texts
    assert line(jawel, "DMARC").startswith(expected)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=DMARC1; p=reject", "p=reject, inherited from example.org"),
        ("v=DMARC1; p=reject; sp=quarantine", "p=quarantine, inherited from example.org"),
    ],
)
def test_a_subdomain_inherits_dmarc_and_keys_unless_it_has_its_own(
    open_service: OpenService, jawel: Jawel, dns_server: NameServer, record: str, expected: str
) -> None:
    dns_server.texts["_dmarc.example.org"] = [record]
    sent_from(open_service, "news@letters.example.org")
    assert line(jawel, "DMARC") == f"ok letters.example.org has {expected}"
    assert line(jawel, "DKIM").startswith("ok example.org publishes keys")
    dns_server.texts |= {"_dmarc.letters.example.org": ["v=DMARC1; p=none"], "a._domainkey.letters.example.org": ["p="]}
    assert line(jawel, "DMARC") == "ok letters.example.org has p=none"
    assert line(jawel, "DKIM").startswith("ok letters.example.org publishes keys")


def test_strict_alignment_wants_the_very_domain(service: Service, jawel: Jawel, dns_server: NameServer) -> None:
    dns_server.texts["_dmarc.example.org"] = ["v=DMARC1; p=none; aspf=s"]
    said = line(jawel, "DMARC", FEEDBACK_ADDRESS="bounces@mail.example.org")
    assert said.startswith("warn the record of example.org has `aspf=s`")
    assert "mail.example.org, the envelope sender's domain, is not exactly example.org" in said
    assert line(jawel, "DMARC", FEEDBACK_ADDRESS="bounces@Example.ORG").startswith("ok ")


def test_a_domain_beyond_ascii_is_looked_up_as_it_is_in_dns(
    open_service: OpenService, jawel: Jawel, dns_server: NameServer
) -> None:
    domain = "xn--bcher-kva.example"
    dns_server.texts |= {
        domain: ["v=spf1 mx"],
        f"_dmarc.{domain}": ["v=DMARC1; p=none"],
        f"a._domainkey.{domain}": ["p="],
    }
    sent_from(open_service, "news@Bücher.example")
    assert {thing: line(jawel, thing)[:24] for thing in IN_DNS} == dict.fromkeys(IN_DNS, f"ok {domain}")


def test_of_several_senders_each_that_is_not_in_order_is_told(
    open_service: OpenService, jawel: Jawel, dns_server: NameServer
) -> None:
    dns_server.texts |= {"example.com": ["v=spf1 -all"], "_dmarc.example.com": ["v=DMARC1; p=none"]}
    sent_from(open_service, "news@example.org", "events@example.com")
    assert line(jawel, "SPF") == "warn example.com says that it sends no mail; name the mail server in its record"
    assert line(jawel, "DMARC") == "ok example.com has p=none; example.org has p=reject"
    del dns_server.texts["example.org"]
    assert line(jawel, "SPF").count("; ") > 1


@pytest.mark.parametrize("rcode", [dns.rcode.REFUSED, dns.rcode.SERVFAIL])
def test_a_resolver_that_refuses_is_told_in_few_words(
    service: Service, jawel: Jawel, dns_server: NameServer, rcode: dns.rcode.Rcode
) -> None:
    dns_server.rcode = rcode
    assert line(jawel, "SPF") == "warn example.org could not be looked up: DNS refuses, or has an error"
    assert line(jawel, "DMARC") == "warn _dmarc.example.org could not be looked up: DNS refuses, or has an error"
    assert findings(jawel("doctor"))["sender"] == "ok", "that needs no DNS"


def test_a_network_without_dns_is_waited_for_once(
    service: Service, jawel: Jawel, dns_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_sender, "DNS_SECONDS", 0.3)
    dns_server.is_silent = True
    result = jawel("doctor")
    assert result.exit_code == 0
    assert "warn  SPF: example.org could not be looked up: DNS does not answer" in result.stdout
    assert {thing: findings(result)[thing] for thing in IN_DNS} == dict.fromkeys(IN_DNS, "warn")
    assert set(dns_server.asked) == {"example.org"}


def test_where_nothing_leaves_the_machine_nothing_is_asked(
    service: Service, jawel: Jawel, dns_server: NameServer
) -> None:
    development = {"JAWEL_ENV": "development", "PUBLIC_URL": "http://127.0.0.1:8000", "MAIL_SERVER": ""}
    assert {line(jawel, thing, **development) for thing in ("sender", *IN_DNS)} == {"ok nothing to check"}
    assert dns_server.asked == []
