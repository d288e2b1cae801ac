"""Checks what a consent receipt and its log claim, with Python and `cryptography` alone.

    python verifier.py RECEIPT --key KEY
    python verifier.py --checkpoint OLD --newer NEW --consistency FILE --key KEY

Nothing in here knows the service or its database, so that a stranger can read this one file, trust it, and run it.
Whatever is claimed is wrong until it has been computed: every check returns quietly or raises `Refuted`.
"""

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509 import Certificate, load_pem_x509_certificates

ED25519 = b"\x01"
"""Its signature type in a verification key (C2SP signed-note)."""
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
RECEIPT_DOMAIN = "jawel/receipt/v1"
PROFILE = "urn:jawel:consent-receipt:1"
GIVEN, RENEWED, UNKNOWN = "dpv:ConsentGiven", "dpv:RenewedConsentGiven", "dpv:ConsentUnknown"
REQUESTED, CONFIRMED, ERASED = "subscription.requested", "subscription.confirmed", "subscriber.erased"
ASKING = ("confirmation", "address_change")
"""Kinds of letters that ask for an answer."""
LETTER_ACCEPTED, BOUNCED = "letter.accepted", "subscription.bounced"
ENDINGS = ("subscription.declined", "subscription.expired", "subscription.unsubscribed", ERASED)
MAILBOX_HOLDER = "mailbox holder"
PARTY = {"party_name": "name", "party_address": "address", "party_contact": "email", "party_url": "url"}
"""What names a party, by its name in the identity that the evidence cites."""
STATES = {
    REQUESTED: "dpv:ConsentRequested",
    LETTER_ACCEPTED: "jawel:LetterAccepted",
    CONFIRMED: GIVEN,
    "subscription.declined": "dpv:ConsentRefused",
    "subscription.unsubscribed": "dpv:ConsentWithdrawn",
    "subscription.expired": "dpv:ConsentExpired",
    BOUNCED: "dpv:ConsentRevoked",
    "subscription.complained": "dpv:ConsentRevoked",
    "suppression.lifted": "jawel:SuppressionLifted",
    "subscriber.changed": "jawel:SubscriberChanged",
    ERASED: "jawel:Erased",
}
"""In the words of the W3C Data Privacy Vocabulary. Those with the prefix `jawel` leave the consent as it stood."""
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the clock of a log may be ahead of an authority's."""
_HASH_LENGTH = 32


class Refuted(Exception):
    """A claim does not hold; the text says which, in plain words and without the personal data it was about."""


class Unproven(Exception):
    """A claim may hold or not: nothing here shows it. The text says what the reader should know."""


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962 section 2.1: the prefix keeps a leaf from passing for an inner node."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def evidence_hash(evidence: str, salt: bytes) -> bytes:
    """What the log holds of an event. Without the salt it cannot be guessed, not even by who knows the person."""
    return hashlib.sha256(b"jawel/consent/v1\n" + salt + evidence.encode()).digest()


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2: the leaf stands at `index` in the tree of `size` leaves that has this root."""
    if not 0 <= index < size:
        raise Refuted("the position lies outside the log")
    number, last, reached = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise Refuted("the inclusion proof is too long")
        if number & 1 or number == last:
            reached = node_hash(sibling, reached)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        number, last = number >> 1, last >> 1
    if last or reached != root:
        raise Refuted("the inclusion proof does not lead to the root that was signed")


def check_consistency(older: "Checkpoint", newer: "Checkpoint", proof: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.4.2: the newer log holds the older one unchanged, and only adds to it."""
    if older.size > newer.size:
        raise Refuted("the later log is shorter than the earlier one")
    if older.size in (0, newer.size):
        if proof or (older.size and older.root != newer.root):
            raise Refuted("two logs of the same size differ, or a proof is given where none is needed")
        return
    path = list(proof) if older.size & (older.size - 1) else [older.root, *proof]
    if not path:
        raise Refuted("the consistency proof is empty")
    number, last = older.size - 1, newer.size - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old_root = new_root = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise Refuted("the consistency proof is too long")
        if number & 1 or number == last:
            old_root, new_root = node_hash(sibling, old_root), node_hash(sibling, new_root)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            new_root = node_hash(new_root, sibling)
        number, last = number >> 1, last >> 1
    if last or old_root != older.root or new_root != newer.root:
        raise Refuted("the later log does not hold the earlier one unchanged")


@dataclass(frozen=True, slots=True)
class Key:
    """A verification key: name, id and Ed25519 key, as C2SP signed-note writes them in one line."""

    name: str
    id: bytes
    public: bytes

    @classmethod
    def of(cls, name: str, public: bytes) -> "Key":
        return cls(name, hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4], public)

    @classmethod
    def parse(cls, line: str) -> "Key":
        """Raises Refuted where the line is no Ed25519 verification key, or its id is not that of its key."""
        name, _, rest = line.strip().partition("+")
        identity, _, encoded = rest.partition("+")
        material = decode(encoded)
        key = cls.of(name, material[1:])
        if material[:1] != ED25519 or len(key.public) != _HASH_LENGTH or str(key) != f"{name}+{identity}+{encoded}":
            raise Refuted("the verification key is not of the form name+id+key")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encode(ED25519 + self.public)}"


def open_note(note: str, keys: Sequence[Key]) -> str:
    """The text of a C2SP signed note. One signature of a known key is needed, and none of theirs may be wrong."""
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or not signatures.endswith("\n"):
        raise Refuted("there is no signed note")
    known = {(key.name, key.id): key for key in keys}
    signed_by = 0
    for line in signatures[:-1].split("\n"):
        dash, name, encoded = [*line.split(" "), "", ""][:3]
        if dash != "—" or not name or line != f"{dash} {name} {encoded}":
            raise Refuted("a signature line is not of the form that signed notes have")
        signature = decode(encoded)
        if key := known.get((name, signature[:4])):
            _check_signature(key, signature[4:], f"{text}\n".encode())
            signed_by += 1
    if not signed_by:
        raise Refuted("no signature is by the key that was given")
    return f"{text}\n"


def _check_signature(key: Key, signature: bytes, text: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text)
    except InvalidSignature:
        raise Refuted(f"the signature of {key.name} is wrong") from None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: how many leaves, and the root over all of them (C2SP tlog-checkpoint)."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise Refuted("the signed text is no checkpoint")
        return cls(lines[0], number(lines[1]), decode_hash(lines[2]))

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{encode(self.root)}\n"


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Where a leaf stands and what leads from it to a signed root (C2SP tlog-proof)."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    """The signed note."""

    @classmethod
    def parse(cls, text: str) -> "InclusionProof":
        head, gap, checkpoint = text.partition("\n\n")
        header, *lines = head.split("\n")
        if header != PROOF_HEADER or not gap or not lines or not lines[0].startswith("index "):
            raise Refuted(f"the proof is not of the form {PROOF_HEADER}")
        return cls(number(lines[0].removeprefix("index ")), tuple(map(decode_hash, lines[1:])), checkpoint)

    def __str__(self) -> str:
        hashes = "".join(f"{encode(each)}\n" for each in self.hashes)
        return f"{PROOF_HEADER}\nindex {self.index}\n{hashes}\n{self.checkpoint}"

    def check(self, leaf: bytes, keys: Sequence[Key]) -> Checkpoint:
        """The checkpoint that the leaf is proven to be under."""
        origin = self.checkpoint.partition("\n")[0]
        checkpoint = Checkpoint.parse(open_note(self.checkpoint, [key for key in keys if key.name == origin]))
        check_inclusion(leaf, self.index, checkpoint.size, self.hashes, checkpoint.root)
        return checkpoint


def unverified(note: str) -> Checkpoint:
    """What a signed note says, whoever signed it."""
    return Checkpoint.parse(f"{note.rpartition(chr(10) * 2)[0]}\n")


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode(text: str) -> bytes:
    """Base64 that has one spelling only: unused bits that are set would be a change that nobody sees."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refuted("a value is not base64") from None
    if encode(data) != text:
        raise Refuted("a value is not base64 in its one right spelling")
    return data


def decode_hash(text: str) -> bytes:
    data = decode(text)
    if len(data) != _HASH_LENGTH:
        raise Refuted("a hash does not have 32 bytes")
    return data


def decode_hex(text: str) -> bytes:
    data = bytes.fromhex(text)
    if data.hex() != text:
        raise Refuted("a value is not hex in lower case")
    return data


def decode_hash_in_hex(text: str) -> bytes:
    """Of a salt too: with one of another length, evidence could begin elsewhere under the same hash."""
    data = decode_hex(text)
    if len(data) != _HASH_LENGTH:
        raise Refuted("a hash or salt does not have 32 bytes")
    return data


def number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or (text != "0" and text.startswith("0")):
        raise Refuted("a number is not written as a plain decimal")
    return int(text)


def states(steps: Sequence[tuple[str, str | None]]) -> list[str]:
    """Where consent stands after each step, told by its type and who acted."""
    found: list[str] = []
    for kind, actor in steps:
        state = STATES[kind]
        if state == GIVEN and GIVEN in found:
            state = RENEWED
        if kind == "subscription.unsubscribed" and GIVEN not in found:
            state = "dpv:ConsentRefused"  # there was none to withdraw
        # The vocabulary tells a withdrawal by the person from one by somebody else.
        elif kind == "subscription.unsubscribed" and actor == "controller":
            state = "dpv:ConsentRevoked"
        found.append(state)
    return found


def standing(steps: Sequence[tuple[str, str | None]]) -> str:
    return next((state for state in reversed(states(steps)) if state.startswith("dpv:")), UNKNOWN)


def read_json(text: str) -> Any:
    """Refuses what two programs may read in two ways: a name that comes twice, and numbers that are not whole."""

    def refuse(_number: str) -> None:
        raise Refuted("a number is not whole")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise Refuted("a name comes twice")
        return dict(pairs)

    try:
        return json.loads(text, parse_float=refuse, parse_constant=refuse, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Refuted("this is not JSON") from None


def receipt_text(receipt: Mapping[str, Any]) -> str:
    """What the signature of a receipt signs. Without floats and with ASCII names, this is RFC 8785."""
    rest = {name: value for name, value in receipt.items() if name != "signature"}
    canonical = json.dumps(rest, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"{RECEIPT_DOMAIN}\n{encode(hashlib.sha256(canonical.encode()).digest())}\n"


@dataclass(frozen=True, slots=True)
class Finding:
    holds: bool | None
    """None: nothing was checked; the text says something that the reader should know."""
    text: str

    def __str__(self) -> str:
        mark = {True: "ok   ", False: "WRONG", None: "note "}[self.holds]
        # What a receipt says about itself must not write lines of its own, or move the cursor over ours.
        return f"{mark}  {''.join(each if each.isprintable() else '?' for each in self.text)}"


def _find(claim: str, check: Callable[..., str], *about: Any) -> Finding:
    """`check` says what holds, or raises; a receipt of another form than ours ends as a finding too."""
    try:
        return Finding(holds=True, text=f"{claim}: {check(*about)}")
    except Refuted as refuted:
        return Finding(holds=False, text=f"{claim}: {refuted}")
    except Unproven as unproven:
        return Finding(holds=None, text=f"{claim}: {unproven}")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        return Finding(holds=False, text=f"{claim}: it is not of the form that it should have")


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the reader believes: the log's keys, and the root certificates of time-stamping authorities."""

    keys: Sequence[Key]
    authorities: Sequence[Certificate] = ()


def examine_receipt(text: str, trust: Trust) -> list[Finding]:
    """Everything that a receipt claims, claim by claim."""
    found: list[Finding] = []

    def read() -> str:
        receipt = read_json(text)
        if receipt["profile"] != PROFILE:
            raise Refuted(f"it is none of the kind {PROFILE}")
        found.extend(_examine(receipt, trust))
        return f"a consent receipt, made {receipt['receipt_created']}"

    return [_find("The file", read), *found]


def _examine(receipt: Mapping[str, Any], trust: Trust) -> Iterator[Finding]:
    record, events, keys = receipt["record"], receipt["record"]["events"], trust.keys
    yield _find("The receipt as a whole", _check_signature_of, receipt, keys)
    for count, event in enumerate(events, 1):
        yield _find(f"Event {count}, {event['type']}", _check_event, record, event, keys)
    yield _find("The order of events", _check_order, events)
    # A receipt from before there were any has none.
    yield _find("The log behind them", _check_one_log, receipt.get("consistency_proofs", []), events)
    yield _find("The exact words", _check_words, receipt["wordings"], events)
    for event in events:
        if event["type"] == CONFIRMED:
            yield _find("The confirmation", _check_confirmation, event, events)
            yield _find("The letter before it", _check_letter, event, events)
    yield _find("What the receipt sums up", _check_record, record, receipt["wordings"], events)
    # Receipts of older versions do not say.
    if "asked_by" in record:
        yield _find("Who asked", _check_who_asked, record, receipt["wordings"], events)
    if record["address_commitment_key"] is not None or record["pii_principal_email"] is not None:
        yield _find("The address", _check_address, record, events)
    else:
        yield Finding(None, "The address is not in this receipt in clear, so it was not compared with the evidence.")
    if not any(event["type"] == CONFIRMED for event in events):
        yield Finding(None, "Nobody confirmed: this is no proof of consent.")
    yield from _examine_stamps(receipt["timestamp_tokens"], events, trust)


def _check_signature_of(receipt: Mapping[str, Any], keys: Sequence[Key]) -> str:
    if open_note(receipt["signature"], keys) != receipt_text(receipt):
        raise Refuted("it was changed after it was signed")
    return "it is as it was signed"


def _check_event(record: Mapping[str, Any], event: Mapping[str, Any], keys: Sequence[Key]) -> str:
    if event["tlog_proof"] is None:
        raise Refuted("it is not sealed yet; ask for the receipt again in a few seconds")
    evidence, claimed = event["evidence"], event["evidence_hash"]
    if evidence is not None and evidence_hash(evidence, decode_hash_in_hex(event["salt"])).hex() != claimed:
        raise Refuted("its evidence was changed: the hash differs")
    proof = InclusionProof.parse(event["tlog_proof"])
    checkpoint = proof.check(leaf_hash(decode_hash_in_hex(claimed)), keys)
    if proof.index != event["position"]:
        raise Refuted("it stands at another position than it says")
    if evidence is None:
        return _check_tombstone(event, record["events"])
    _check_fields(record, event, read_json(evidence))
    return (
        f"at {event['event_time']} by the {event['entity_id']}; sealed at position {proof.index} "
        f"of the log {checkpoint.origin}, under its checkpoint of {checkpoint.size} entries"
    )


def _check_tombstone(event: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    """Else somebody could pass off as erased what they would rather not show."""
    stone = {"event": event["event_id"], "type": event["type"], "occurred_at": event["event_time"]}
    later = [each for each in events if (each["position"] or 0) > event["position"]]
    for each in [each for each in later if each["type"] == ERASED]:
        for erased in _evidence(each).get("erased", []):
            if stone.items() <= erased.items():
                at = event["position"]
                return (
                    f"its content was erased at {each['event_time']}, as its tombstone says; it stands at position {at}"
                )
    raise Refuted("its content is missing, and no tombstone says that it was erased")


def _check_fields(record: Mapping[str, Any], event: Mapping[str, Any], evidence: Mapping[str, Any]) -> None:
    pairs = {
        "event_id": (event["event_id"], evidence["event"]),
        "type": (event["type"], evidence["type"]),
        "event_time": (event["event_time"], evidence["occurred_at"]),
        "entity_id": (event["entity_id"], evidence["actor"]),
        "method": (event["method"], evidence.get("method")),
        "record_id": (record["record_id"], evidence["subscription"]),
        "pii_principal_id": (record["pii_principal_id"], evidence["subscriber"]),
        "purpose": (record["purposes"][0]["id"], evidence["newsletter"]),
    }
    for name, (shown, proven) in pairs.items():
        if shown != proven:
            raise Refuted(f"{name} is not what its evidence says")


def _check_order(events: Sequence[Mapping[str, Any]]) -> str:
    times = [event["event_time"] for event in events]
    for name in ("event_id", "position"):
        told = [event[name] for event in events if event[name] is not None]
        if len(set(told)) < len(told):
            raise Refuted("two events are one and the same")
    if times != sorted(times):
        raise Refuted("they are not in the order of their times")
    if [event["event_state"] for event in events] != states(_steps(events)):
        raise Refuted("an event_state does not follow from the events")
    return f"{len(events)} events, each for itself, by their times"


def _checkpoints(events: Sequence[Mapping[str, Any]]) -> dict[str, Checkpoint]:
    """Those that the proofs lead to, by their signed note. That they are signed is each event's own claim."""
    notes = {InclusionProof.parse(event["tlog_proof"]).checkpoint for event in events if event["tlog_proof"]}
    return {note: unverified(note) for note in notes}


def _check_one_log(proofs: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]) -> str:
    """Else each event could be proven in a log that was made for it alone, or in a history that excludes another's."""
    heads = _checkpoints(events).values()
    if len({head.origin for head in heads}) > 1:
        raise Refuted("the events are proven in several logs")
    by_size = {head.size: head for head in heads}
    if len({(head.size, head.root) for head in heads}) > len(by_size):
        raise Refuted("two checkpoints of one size differ: the log was split in two, and this proves it")
    tied, sizes = {_check_growth(proof, by_size) for proof in proofs}, sorted(by_size)
    if not set(pairwise(sizes)) <= tied:
        raise Unproven(
            f"the events are proven under checkpoints of {', '.join(map(str, sizes))} entries, and nothing here shows "
            "that each holds the one before unchanged: they may be of histories that exclude each other. Ask for the "
            "receipt again, or the log for its consistency proofs between them"
        )
    if len(sizes) < 2:
        return "one and the same for all, under one checkpoint"
    return f"one and the same for all; each of its {len(sizes)} checkpoints holds the one before unchanged"


def _check_growth(proof: Mapping[str, Any], by_size: Mapping[int, Checkpoint]) -> tuple[int, int]:
    """From which size to which it leads."""
    older, newer = by_size.get(proof["from"]), by_size.get(proof["to"])
    if older is None or newer is None:
        raise Refuted("a consistency proof is about a size that no checkpoint here has")
    check_consistency(older, newer, [decode_hash(each) for each in proof["proof"]])
    return older.size, newer.size


def _check_words(wordings: Sequence[Mapping[str, str]], events: Sequence[Mapping[str, Any]]) -> str:
    for wording in wordings:
        if hashlib.sha256(wording["text"].encode()).hexdigest() != wording["sha256"]:
            raise Refuted("a text is not the one that was shown")
    cited = {digest for event in events for digest in _evidence(event).get("wordings", {}).values()}
    if cited != {wording["sha256"] for wording in wordings}:
        raise Refuted("the texts are not the ones that the evidence cites")
    return f"{len(wordings)} texts, each the one whose SHA-256 the sealed evidence cites"


def _check_confirmation(event: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    if event["evidence"] is None:
        raise Refuted("its content was erased, so it can be shown no more")
    known = [each for each in events if each["evidence"] and each["position"] is not None]
    earlier = [
        each for each in known if each["position"] < event["position"] and each["event_time"] <= event["event_time"]
    ]
    requests = [each for each in earlier if each["type"] == REQUESTED]
    if not requests:
        raise Refuted("nobody asked before it was confirmed")
    if any(each["type"] in ENDINGS and each["position"] > requests[-1]["position"] for each in earlier):
        raise Refuted("the request was over before it was confirmed")
    if event["entity_id"] != MAILBOX_HOLDER:
        raise Refuted("it was not the holder of the mailbox who confirmed")
    if not {"title", "purpose", "consent"} <= _evidence(requests[-1]).get("wordings", {}).keys():
        raise Refuted("the evidence does not say which words were agreed to")
    asked = f"asked for at {requests[-1]['event_time']}"
    return f"{asked}; confirmed at {event['event_time']} by the {event['entity_id']} ({event['method']})"


def _check_letter(event: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    """What was agreed to once, and is renewed, rests on the letter of then. Else it takes one since it last ended.

    A decline that was taken back has ended nothing.
    """
    sealed = [each for each in events if each["position"] is not None and each["position"] < event["position"]]
    earlier = sorted((each for each in sealed if each["event_time"] <= event["event_time"]), key=_place)
    requests = [each for each in earlier if each["type"] == REQUESTED]
    undone = undone_events(map(_evidence, requests))
    over = [each for each in earlier if each["type"] in (*ENDINGS, BOUNCED) and each["event_id"] not in undone]
    ended = [each["position"] for each in over]
    basis = _evidence(requests[-1]) if requests else {}
    since = -1 if "renews" in basis and "undoes" not in basis else max(ended, default=-1)
    letters = [each for each in earlier if each["position"] > since and _asks(each)]
    asked = [_evidence(each) for each in requests if each["position"] > max(ended, default=-1)]
    taken = [_evidence(each) for each in events if each["type"] == LETTER_ACCEPTED]
    if astray := letter_astray(asked, taken, _evidence(event)):
        raise Refuted(astray)
    if not letters:
        raise Unproven(
            f"no mail server is on record as having taken a letter before the confirmation at {event['event_time']}: "
            "that anybody could press anything is the word of the service alone"
        )
    return f"a mail server took it at {letters[-1]['event_time']}"


def undone_events(asked: Iterable[Mapping[str, Any]]) -> set[Any]:
    """The ids of declines that were taken back, which the evidence of those requests names."""
    return {request["undoes"] for request in asked if "undoes" in request}


def letter_astray(
    asked: Sequence[Mapping[str, Any]], taken: Sequence[Mapping[str, Any]], confirmed: Mapping[str, Any]
) -> str | None:
    """What shows that the link which confirmed was not in a letter to whom it was asked for; None where nothing does.

    Each is evidence: of the requests since it last ended, in their order; of the letters that a mail server took for
    this subscription; of the confirmation. What was erased is empty, and shows nothing, like evidence from before it
    named these. A letter may be noted as taken after the press, or, after a crash, never.
    """
    for request in asked:
        went = {letter.get("address_commitment") for letter in taken if _is_owed(letter, request)}
        if went - {None, request.get("address_commitment")}:
            return "the letter went to another address than the one that was asked for"
    owed = [request.get("letter_owed") for request in asked if "renews" not in request]
    named = confirmed.get("letter")
    if named is None or not owed or None in owed:
        return None
    if named not in owed:
        return "the letter that it was confirmed by is none that was asked for here"
    # One that a newer request overtook was sent about the others only that it was to ask for.
    was_sent = "seconds_since_letter" in confirmed and named == owed[-1]
    if was_sent and all(taken) and named not in {letter.get("letter") for letter in taken}:
        return "the letter that it was confirmed by is said to have been sent, and no mail server took it for this"
    return None


def _is_owed(letter: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """A change of address names itself, as the letter to the new address does."""
    if letter.get("kind") not in ASKING:
        return False
    return any(
        letter.get(theirs) is not None and letter.get(theirs) == request.get(ours)
        for theirs, ours in (("letter", "letter_owed"), ("change", "change"))
    )


def _asks(event: Mapping[str, Any]) -> bool:
    """Whether it is a letter that somebody could confirm by. Of one that was erased nobody knows any more."""
    return event["type"] == LETTER_ACCEPTED and _evidence(event).get("kind", ASKING[0]) in ASKING


def _check_record(
    record: Mapping[str, Any], wordings: Sequence[Mapping[str, str]], events: Sequence[Mapping[str, Any]]
) -> str:
    basis = _basis(events)
    cited, texts = basis.get("wordings", {}), {wording["sha256"]: wording["text"] for wording in wordings}
    state, purpose = standing(_steps(events)), record["purposes"][0]
    pairs = {
        "consent_state": (record["consent_state"], state),
        "granted": (purpose["granted"], state in (GIVEN, RENEWED)),
        "service": (record["service"], texts.get(cited.get("title"))),
        "consent_text": (record["consent_text"]["text"], texts.get(cited.get("consent"))),
        "consent_text sha256": (record["consent_text"]["sha256"], cited.get("consent")),
        "privacy_notice": (record["privacy_notice"]["sha256"], cited.get("notice", cited.get("purpose"))),
        "presented_at": (record["privacy_notice"]["presented_at"], _presented_at(record, basis, events)),
        "purpose": (purpose["name"], texts.get(cited.get("purpose"))),
        "control": (purpose["control"], basis.get("control")),
        "language": (record["language"], basis.get("language", record["language"])),
    }
    for name, (shown, proven) in pairs.items():
        if shown != proven:
            raise Refuted(f"{name} is not what the evidence says")
    return f"the same as the evidence; the consent now stands as {state}"


def _basis(events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The evidence of the request that the newest confirmation answered, else of the newest; empty without any."""
    confirmed = [count for count, event in enumerate(events) if event["type"] == CONFIRMED]
    before = events[: confirmed[-1]] if confirmed else events
    asked = [_evidence(event) for event in before if event["type"] == REQUESTED and event["evidence"]]
    return asked[-1] if asked else {}


def _presented_at(
    record: Mapping[str, Any], basis: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> str | None:
    """What renews a request cites the words of then. Receipts of older versions have the time of the renewal."""
    at, shown = basis.get("occurred_at"), basis
    known = {event["event_id"]: event for event in events} if "asked_by" in record else {}
    while known and "renews" in shown:
        earlier = known.pop(shown["renews"], None)
        if earlier is None:
            return None
        at, shown = earlier["event_time"], _evidence(earlier)
    return at


def _check_who_asked(
    record: Mapping[str, Any], wordings: Sequence[Mapping[str, str]], events: Sequence[Mapping[str, Any]]
) -> str:
    parties = {party["party_id"]: party for party in record["parties"]}
    named = parties[record["pii_controllers"][0]]
    sealed = _basis(events).get("wordings", {}).get("controller")
    if sealed is None and record["asked_by"] is None:
        raise Unproven(f"the evidence does not say; when this was made, the controller was {_named(named)}")
    texts = {wording["sha256"]: wording["text"] for wording in wordings}
    identity = read_json(texts[sealed]) if sealed else {}
    asked = parties[record["asked_by"]]
    if asked is not named or any(asked[theirs] != identity.get(ours) for theirs, ours in PARTY.items()):
        raise Refuted("it is not who the evidence says")
    today = [_named(parties[each]) for each in record["pii_controllers"][1:]]
    since = f"; when this was made, the controller was {', '.join(today)}" if today else ""
    return f"{_named(asked)}, as sealed with the request{since}"


def _named(party: Mapping[str, Any]) -> str:
    return ", ".join(party[name] for name in PARTY)


def _check_address(record: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    """The newest request is about the address, and each that came of a change says which one those before it name."""
    key, address = decode_hex(record["address_commitment_key"]), record["pii_principal_email"].lower().encode()
    commitment = hmac.new(key, address, hashlib.sha256).hexdigest()
    asked = [event for event in events if event["type"] == REQUESTED and event["evidence"]]
    if not asked:
        raise Refuted("no evidence is about it")
    moves = 0
    for evidence in map(_evidence, sorted(asked, key=_place, reverse=True)):
        if evidence["address_commitment"] != commitment:
            raise Refuted("the evidence is about another one, and nothing leads from one to the other")
        commitment = evidence.get("previous_address_commitment", commitment)
        moves += "previous_address_commitment" in evidence
    if not moves:
        return "every request in the evidence is about it"
    return f"the newest request in the evidence is about it, and the earlier ones lead to it (changes: {moves})"


def _place(event: Mapping[str, Any]) -> float:
    """In the log. A change of address is asked for before it is confirmed, and put on record after."""
    return float("inf") if event["position"] is None else event["position"]


def _examine_stamps(
    stamps: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]], trust: Trust
) -> Iterator[Finding]:
    missing = ""
    if not trust.authorities:
        missing = "name the authority's root certificate with --authority"
    elif not find_spec("rfc3161_client"):
        missing = "install the package rfc3161-client"
    if stamps and missing:
        yield Finding(None, f"{len(stamps)} time stamps (RFC 3161) are in it, not checked here: {missing}.")
        return
    for count, stamp in enumerate(stamps, 1):
        yield _find(f"Time stamp {count}", _check_stamp, stamp, events, trust)


def _check_stamp(stamp: Mapping[str, Any], events: Sequence[Mapping[str, Any]], trust: Trust) -> str:
    import rfc3161_client  # noqa: PLC0415 - all but this works without

    under = [each for each in events if each["tlog_proof"] and stamp["checkpoint"] in _checkpoints([each])]
    if not under:
        raise Refuted("it is about a checkpoint that no event here is proven under")
    checkpoint = Checkpoint.parse(open_note(stamp["checkpoint"], trust.keys))
    judge = rfc3161_client.VerifierBuilder(roots=list(trust.authorities)).build()
    try:
        response = rfc3161_client.decode_timestamp_response(decode(stamp["token"]))
        judge.verify_message(response, stamp["checkpoint"].encode())
    except (rfc3161_client.VerificationError, ValueError):
        raise Refuted("it is not by an authority that was named, or not about this checkpoint") from None
    stamped = response.tst_info.gen_time
    if any(datetime.fromisoformat(each["event_time"]) > stamped + CLOCK_TOLERANCE for each in under):
        raise Refuted("an event under it says that it happened after the stamp was made")
    at = stamped.isoformat()
    return f"an authority saw the log of {checkpoint.size} entries at {at}; all that is in it is older"


def _steps(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, str | None]]:
    return [(event["type"], event["entity_id"]) for event in events]


def _evidence(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return read_json(event["evidence"]) if event["evidence"] else {}


def examine_growth(older: str, newer: str, consistency: str, keys: Sequence[Key]) -> list[Finding]:
    """Two checkpoints, and the log's own proof that the later one only adds to the earlier."""

    def read(note: str) -> Checkpoint:
        origin = note.partition("\n")[0]
        return Checkpoint.parse(open_note(note, [key for key in keys if key.name == origin]))

    def compare() -> str:
        first, last, proof = read(older), read(newer), read_json(consistency)
        if first.origin != last.origin:
            raise Refuted("the checkpoints are of two logs")
        if (proof["from"], proof["to"]) != (first.size, last.size):
            raise Refuted("the consistency proof is about other sizes")
        check_consistency(first, last, [decode_hash(each) for each in proof["proof"]])
        return f"the log of {last.size} entries holds the {first.size} of the earlier checkpoint unchanged"

    return [
        _find("The earlier checkpoint", lambda: f"signed by {read(older).origin}"),
        _find("The later checkpoint", lambda: f"signed by {read(newer).origin}"),
        _find("From one to the other", compare),
    ]


def examine(texts: Sequence[str], trust: Trust) -> list[Finding]:
    """One text is a receipt; three are an earlier checkpoint, a later one, and the proof of consistency."""
    if len(texts) == 1:
        return examine_receipt(texts[0], trust)
    return examine_growth(texts[0], texts[1], texts[2], trust.keys)


def read_authorities(files: Sequence[str | Path]) -> list[Certificate]:
    """Each file holds certificates in PEM. Raises Refuted."""
    try:
        return [each for file in files for each in load_pem_x509_certificates(Path(file).read_bytes())]
    except (OSError, ValueError):
        raise Refuted("--authority is no file with certificates in PEM") from None


def read_keys(given: Sequence[str]) -> list[Key]:
    """Each is a verification key or the path of a file with one a line. Raises Refuted."""
    found: list[Key] = []
    for each in given:
        try:
            found.append(Key.parse(each))
        except Refuted:
            try:
                lines = Path(each).read_text(encoding="utf-8").splitlines()
            except (OSError, ValueError):
                raise Refuted("--key is neither a verification key nor a file with such keys") from None
            found += [Key.parse(line) for line in lines if line.strip()]
    return found


def report(findings: Sequence[Finding], write: Callable[[str], object]) -> int:
    """Tell them, a line each; the exit status: 0 where everything holds."""
    for finding in findings:
        write(str(finding))
    wrong = sum(finding.holds is False for finding in findings)
    write(
        f"{wrong} of {len(findings)} do not hold: do not rely on it." if wrong else "Everything that it claims holds."
    )
    return 1 if wrong else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check a consent receipt, or a checkpoint against a later one.")
    parser.add_argument("receipt", nargs="?", help="the JSON file")
    parser.add_argument("--key", action="append", required=True, help="verification key, or a file of them; repeatable")
    parser.add_argument("--authority", action="append", default=[], help="a time-stamping authority's root certificate")
    for name in ("checkpoint", "newer", "consistency"):
        parser.add_argument(f"--{name}", help="a file, as the log answers it")
    given = parser.parse_args(arguments)
    growth = [given.checkpoint, given.newer, given.consistency]
    if any(growth) if given.receipt else not all(growth):
        parser.error("name a receipt, or --checkpoint, --newer and --consistency")
    try:
        trust = Trust(read_keys(given.key), read_authorities(given.authority))
        texts = [Path(each).read_text(encoding="utf-8") for each in ([given.receipt] if given.receipt else growth)]
    except (Refuted, OSError, ValueError) as error:
        parser.error(str(error) if isinstance(error, Refuted) else "a file cannot be read as text")
    return report(examine(texts, trust), lambda line: sys.stdout.write(f"{line}\n"))


if __name__ == "__main__":
    sys.exit(main())
