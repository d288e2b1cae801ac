"""Checks what a consent log claims, with Python and `cryptography` alone.

Nothing in here knows the service or its database, so that a stranger can read this one file, trust it, and run it.
Whatever is claimed is wrong until it has been computed: every function returns quietly or raises `Refuted`.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519 = b"\x01"
"""Its signature type in a verification key (C2SP signed-note)."""
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_HASH_LENGTH = 32


class Refuted(Exception):
    """A claim does not hold; the text says which, in plain words and without the personal data it was about."""


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
        checkpoint = Checkpoint.parse(open_note(self.checkpoint, keys))
        check_inclusion(leaf, self.index, checkpoint.size, self.hashes, checkpoint.root)
        return checkpoint


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


def number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or (text != "0" and text.startswith("0")):
        raise Refuted("a number is not written as a plain decimal")
    return int(text)
