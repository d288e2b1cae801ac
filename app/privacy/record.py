"""The record of processing activities (GDPR Art. 30(1)), from the catalogue and the code, with its gaps marked.

A gap is a line that begins with `MISSING:` and the key or setting that would fill it. The record is in English, because
its readers are the controller and the authority.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta

from app.abuse.recipient_limit import DAY
from app.newsletters import data_recipients
from app.newsletters.definitions import TRACES_KEPT_FOR, Catalogue, Controller, Newsletter, Processor
from app.newsletters.durations import in_words
from app.subscriptions.address_change.changes import UNDO_WITHIN

MISSING = "MISSING:"
Lines = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Activity:
    """One processing activity: each field a list of lines, by the letters of Art. 30(1)."""

    name: str
    purposes: Lines
    legal_basis: Lines
    people: Lines
    data: Lines
    recipients: Lines
    transfers: Lines
    time_limits: Lines


HEADINGS: Mapping[str, str] = {
    "controller": "(a) controller",
    "purposes": "(b) purposes",
    "legal_basis": "legal basis (Art. 6)",
    "people": "(c) categories of people",
    "data": "(c) categories of data",
    "recipients": "(d) recipients",
    "transfers": "(e) transfers to third countries",
    "time_limits": "(f) time limits for erasure",
    "security": "(g) security measures",
}


@dataclass(frozen=True, slots=True)
class Record:
    controller: Lines
    activities: tuple[Activity, ...]
    security: Lines

    @property
    def missing(self) -> Lines:
        """Each gap once, without the mark."""
        told = [*self.controller, *self.security]
        for activity in self.activities:
            told += [line for each in fields(activity)[1:] for line in getattr(activity, each.name)]
        marked = dict.fromkeys(line for line in told if line.startswith(MISSING))
        return tuple(line.removeprefix(MISSING).strip() for line in marked)


def build(catalogue: Catalogue, security: Lines) -> Record:
    """`security`: the security measures, derived from the settings."""
    newsletters = catalogue.newsletters.values()
    own = (_proof_of_consent, _do_not_write, _protection)
    who = catalogue.controller
    goes_to = _recipients(who), _transfers(who)
    return Record(
        controller=_controller(catalogue.controller),
        activities=(
            *(_newsletter(each, _tracking(who), *goes_to) for each in newsletters),
            *(activity([*newsletters], *goes_to) for activity in own),
        ),
        security=security,
    )


def missing(what: str, remedy: str) -> str:
    return f"{MISSING} {what}: {remedy}"


def _controller(controller: Controller | None) -> Lines:
    if controller is None:
        return (missing("[controller]", "no catalogue is applied yet; run `jawel newsletters apply FILE`"),)
    representative = controller.representative or "none named (controller.representative, Art. 27)"
    return (
        f"{controller.name}, {controller.address}",
        f"E-mail: {controller.email}",
        f"Website: {controller.url}",
        f"Representative in the Union: {representative}",
        f"Data protection officer: {controller.dpo or 'none named (controller.dpo, Art. 37)'}",
        f"Supervisory authority: {controller.authority} ({controller.jurisdiction})",
    )


def _recipients(controller: Controller | None) -> Lines:
    named = data_recipients.named(controller, "en") if controller else ()
    remedy = "name who hosts the service, who delivers its mail, and who else receives the data"
    return (
        (*named, *_contracts(controller.processors))
        if controller and named
        else (missing("controller.recipients", remedy),)
    )


def _contracts(processors: Sequence[Processor]) -> Iterator[str]:
    """Art. 28(3)."""
    for each in processors:
        if each.contract:
            yield f"Contract with {each.name}: of {each.contract}"
        else:
            yield missing(f"processor.contract of {each.name}", "say of which day the contract is (Art. 28(3))")


def _transfers(controller: Controller | None) -> Lines:
    told = data_recipients.transfers(controller, "en") if controller else ()
    remedy = "say which countries outside the EEA receive data and under which safeguard, or that none does"
    unsafe = [each.name for each in data_recipients.outside_eea(controller) if not each.safeguard] if controller else []
    return (
        *(told or (missing("controller.transfers", remedy),)),
        *(missing(f"processor.safeguard of {name}", "say under which safeguard (Art. 44 to 49)") for name in unsafe),
    )


def _tracking(controller: Controller | None) -> str:
    told = data_recipients.tracking(controller, "en") if controller else None
    return told or missing("controller.tracking", "say whether your newsletters measure opens and clicks")


def _newsletter(newsletter: Newsletter, tracking: str, recipients: Lines, transfers: Lines) -> Activity:
    language = newsletter.language_for(["en"])
    unconfirmed = newsletter.confirm_within + newsletter.purge_pending_after
    retired = ", retired" if newsletter.is_retired else ""
    return Activity(
        name=f"Newsletter {newsletter.title[language]} ({newsletter.slug}{retired})",
        purposes=(newsletter.purpose[language], f"Sent by e-mail, {newsletter.frequency}."),
        legal_basis=(
            "Consent, by double opt-in: GDPR Art. 6(1)(a), Directive 2002/58/EC Art. 13(1)",
            "The one mail that asks: legitimate interest that nobody is subscribed by somebody else, Art. 6(1)(f)",
            "A change of address: legal obligation to keep data correct, Art. 6(1)(c) with 16",
        ),
        people=("Subscribers", "People whose address was entered in the form, by themselves or by others"),
        data=(
            "E-mail address; while it is being changed, the former and the new one",
            "Language",
            "State of the subscription, and when it changed",
            tracking,
        ),
        recipients=recipients,
        transfers=transfers,
        time_limits=(
            f"Not confirmed: the address is erased after {_for(unconfirmed)}",
            "Confirmed: as long as the subscription lasts",
            f"After withdrawal: {_for(newsletter.keep_evidence)} (keep_evidence)",
            f"A former address: {_for(UNDO_WITHIN)} after the change, for who wants to undo it",
        ),
    )


def _proof_of_consent(newsletters: Sequence[Newsletter], recipients: Lines, transfers: Lines) -> Activity:
    return Activity(
        name="Proof of consent",
        purposes=("To show who consented to which words, when and how, and when consent was withdrawn",),
        legal_basis=(
            "Legal obligation: GDPR Art. 6(1)(c) with 5(2) and 7(1)",
            "After withdrawal: legitimate interest in answering claims, Art. 6(1)(f) with 17(3)(e)",
        ),
        people=("Subscribers, present and former", "People whose address was entered in the form"),
        data=(
            "Each step with its time: request, confirmation, withdrawal, erasure",
            "The words shown (title, purpose, consent, privacy notice), form, page, method, kind of browser",
            "Of the client's internet address what CLIENT_IP says (see security measures)",
            "That a mail server accepted the confirmation mail",
            "A keyed code of the address instead of the address",
        ),
        recipients=recipients,
        transfers=transfers,
        time_limits=(
            *(f"{each.slug}: {_for(each.keep_evidence)} after the subscription ended" for each in newsletters),
            f"Requests that nobody confirmed: {_for(TRACES_KEPT_FOR)} after they lapsed",
            "Kind, day and fingerprint of each step in the log: for good; they lead to nobody once the rest is erased",
            f"Ids of what was erased, to erase it again after a restore: {_for(TRACES_KEPT_FOR)}",
        ),
    )


def _do_not_write(_newsletters: Sequence[Newsletter], recipients: Lines, transfers: Lines) -> Activity:
    return Activity(
        name="List of people not to be written to",
        purposes=("To write no more to who left, declined or complained, and to mailboxes that do not exist",),
        legal_basis=(
            "Left, declined, complained: legal obligation, GDPR Art. 6(1)(c) with 21(3); in Belgium Royal Decree of 4 "
            "April 2003, art. 2",
            "Mailboxes that do not exist, reports: legitimate interest in not writing to them, Art. 6(1)(f)",
        ),
        people=("People who left, declined a request or complained", "Holders of addresses that refused mail for good"),
        data=(
            "A keyed digest of the address; after an objection also one of the mailbox that it probably leads to",
            "The reason, and since when",
            "Of who left and was erased since: a keyed digest of the address, the newsletter, the day",
            "Under the same digest: what mail systems reported (kind, source, status code, when)",
        ),
        recipients=recipients,
        transfers=transfers,
        time_limits=(
            f"Declined, hard bounce, reports of mail systems: {_for(TRACES_KEPT_FOR)}",
            "Complaint: until lifted by hand",
            "Left: until the person confirms the newsletter anew",
        ),
    )


def _protection(_newsletters: Sequence[Newsletter], recipients: Lines, transfers: Lines) -> Activity:
    return Activity(
        name="Protection against abuse, and running the service",
        purposes=(
            "To keep forms from being used to flood mailboxes",
            "To keep the service running, and to find out what went wrong",
        ),
        legal_basis=("Legitimate interest in a secure service: GDPR Art. 6(1)(f), recital 49",),
        people=("Whoever sends a form", "Holders of the addresses that are entered"),
        data=(
            "How many mails an address, and its probable mailbox, was sent lately, by keyed digests",
            "How many requests came from a network",
            "Logs of the service, without addresses and links",
        ),
        recipients=recipients,
        transfers=transfers,
        time_limits=(
            f"Mails sent to an address: {_for(DAY)} after the last request",
            "Requests from a network: about a minute",
            "Logs: as long as the place that you send them to keeps them; add it here by hand",
        ),
    )


def _for(length: timedelta) -> str:
    return in_words(length, "en")
