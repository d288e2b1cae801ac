"""What `jawel doctor` checks of the sender: alignment, and what DNS says of its domain.

Invariant: what is found is never a failure. What receivers make of a record is theirs to decide, so it is a warning.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from app.cli.dns_records import TextRecords
from app.cli.findings import CheckWarning, reading
from app.cli.sender_domains import FREE_MAIL, organisational
from app.database import Database
from app.mail import envelope
from app.newsletters import load
from config import Settings

DNS_SECONDS = 5.0
"""For all look-ups together."""
_Subject = TypeVar("_Subject")


@dataclass(frozen=True, slots=True)
class Sender:
    domain: str
    """Of the address in `From`, which DMARC judges."""
    envelope: str
    """The domain of the envelope sender, which SPF judges."""


def senders(database: Database, settings: Settings) -> list[Sender]:
    """Without repetition. Empty if nothing leaves this machine, or there is no newsletter."""
    server = settings.mail_server
    if server is None:
        return []
    with reading(database) as connection:
        addresses = [each.mailbox for each in load.catalogue(connection).open.values()]
        returned_to = None if envelope.is_plain(connection, server) else settings.feedback.address
    found = (Sender(_domain(address), _domain(returned_to or address)) for address in addresses)
    return list(dict.fromkeys(found))


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def alignment(database: Database, settings: Settings) -> str:
    return _of_each(senders(database, settings), _aligned)


def _aligned(sender: Sender) -> str:
    """RFC 7489 section 3.1.2."""
    organisation = organisational(sender.domain)
    if organisation in FREE_MAIL:
        raise CheckWarning(
            f"{sender.domain} is a mail provider's: receivers refuse letters in its name that come from another"
            " server (DMARC). Send from a domain of your own"
        )
    if organisational(sender.envelope) != organisation:
        raise CheckWarning(
            f"letters from {sender.domain} have their envelope sender in {sender.envelope}, another organisation's:"
            f" for DMARC, SPF does not count. Set FEEDBACK_ADDRESS to an address in {organisation}"
        )
    return f"`From` and the envelope sender are both in {organisation}"


def spf(database: Database, settings: Settings, records: TextRecords) -> str:
    domains = [each.envelope for each in senders(database, settings)]
    return _of_each(_own(domains), lambda domain: _spf(domain, records))


def _spf(domain: str, records: TextRecords) -> str:
    """RFC 7208."""
    texts = records.of(domain)
    if texts is None:
        raise CheckWarning(
            f"{domain} does not exist in DNS, and receivers refuse its letters; see the sender's spelling"
        )
    found = [text.lower().split() for text in texts if re.match(r"v=spf1( |$)", text, re.IGNORECASE)]
    if not found:
        raise CheckWarning(f"{domain} has no record; publish one that names the mail server, such as `v=spf1 mx ~all`")
    if len(found) > 1:
        raise CheckWarning(f"{domain} has {len(found)} records, which is an error to receivers; make them one")
    if found == [["v=spf1", "-all"]]:
        raise CheckWarning(f"{domain} says that it sends no mail; name the mail server in its record")
    return f"{domain} has one record"


def dkim(database: Database, settings: Settings, records: TextRecords) -> str:
    domains = [each.domain for each in senders(database, settings)]
    return _of_each(_own(domains), lambda domain: _dkim(domain, records))


def _dkim(domain: str, records: TextRecords) -> str:
    """Selectors are anybody's choice, but a name that does not exist has none below it (RFC 8020)."""
    for holder in _around(domain):
        if records.of(f"_domainkey.{holder}") is not None:
            return f"{holder} publishes keys; `Authentication-Results` in a received letter says whether it was signed"
    raise CheckWarning(
        f"nothing is published below _domainkey.{domain}; have the mail server sign in the name of {domain}"
    )


def dmarc(database: Database, settings: Settings, records: TextRecords) -> str:
    ours = [each for each in senders(database, settings) if _own([each.domain])]
    return _of_each(ours, lambda sender: _dmarc(sender, records))


def _dmarc(sender: Sender, records: TextRecords) -> str:
    """RFC 7489 section 6.6.3: the record of the domain, else that of the organisation."""
    for holder in _around(sender.domain):
        found = [text for text in records.of(f"_dmarc.{holder}") or () if re.match(r"v *= *DMARC1 *(;|$)", text)]
        if len(found) > 1:
            raise CheckWarning(f"{holder} has {len(found)} records, and receivers heed none; keep one")
        if found:
            return _policy(sender, holder, found[0])
    raise CheckWarning(
        f"{sender.domain} has no record, which large receivers ask for; publish one at"
        f" _dmarc.{organisational(sender.domain)}, such as `v=DMARC1; p=none`"
    )


def _policy(sender: Sender, holder: str, record: str) -> str:
    pairs = (pair.partition("=") for pair in record.lower().split(";"))
    tags = {name.strip(): value.strip() for name, _, value in pairs}
    is_inherited = holder != sender.domain
    policy = tags.get("sp" if is_inherited and "sp" in tags else "p")
    if policy not in {"none", "quarantine", "reject"}:
        raise CheckWarning(f"the record of {holder} has no policy; add `p=none`, `p=quarantine` or `p=reject`")
    if tags.get("aspf") == "s" and sender.envelope != sender.domain:
        raise CheckWarning(
            f"the record of {holder} has `aspf=s`, so SPF does not count: {sender.envelope}, the envelope sender's"
            f" domain, is not exactly {sender.domain}. Set FEEDBACK_ADDRESS to an address there, or remove `aspf`"
        )
    return f"{sender.domain} has p={policy}" + (f", inherited from {holder}" if is_inherited else "")


def _around(domain: str) -> list[str]:
    """The domain, then its organisation's if that is another one."""
    return list(dict.fromkeys((domain, organisational(domain))))


def _own(domains: Iterable[str]) -> list[str]:
    """The operator can publish records for these only."""
    return [each for each in dict.fromkeys(domains) if organisational(each) not in FREE_MAIL]


def _of_each(subjects: Iterable[_Subject], check: Callable[[_Subject], str]) -> str:
    """Raises CheckWarning with every warning, if there is one."""
    good, warnings = [], []
    for subject in subjects:
        try:
            good.append(check(subject))
        except CheckWarning as warning:
            warnings.append(str(warning))
    if warnings:
        raise CheckWarning("; ".join(warnings))
    return "; ".join(good) or "nothing to check"
