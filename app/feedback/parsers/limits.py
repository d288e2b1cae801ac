"""How much of a mail is read: what a stranger writes must not cost more than a look at it.

A report comes first and the letter that it returns last, so what is cut off at the end is not missed. Whatever takes
longer than in proportion to the length of what it reads (Python's parser with nested parts and with parameters,
flufl.bounce's patterns with long lines) gets only what has passed here; this is one pass over the bytes.
"""

import re

MAX_BYTES = 256 * 1024
MAX_LINES = 4_000
"""Bounds the headers, the parts and the blocks of a report all at once, for none is shorter than a line."""
LONGEST_LINE = 998
"""Without its end (RFC 5322 section 2.1.1)."""
LONGEST_FIELD = 8 * 1024
"""A header with the indented lines that continue it."""
MOST_DELIMITERS = 200
"""Lines that may begin a part (RFC 2046 section 5.1.1). A report has three parts."""
MOST_NESTINGS = 32
"""Names of what has parts of its own: a bounce of a bounce adds three."""
EXCERPT_BYTES = 32 * 1024
LONGEST_EXCERPT_LINE = 200

_NESTING = re.compile(rb"boundary|message/", re.IGNORECASE)
_ENCODED = b"content-transfer-encoding:"
_NOT_ASCII = re.compile(rb"[^\t\r\n -~]")


def cut(raw: bytes) -> bytes:
    """The mail as far as it is read: too long a line, or a header, loses its end, the mail what is beyond measure."""
    kept: list[bytes] = []
    delimiters = nestings = field = 0
    for line in raw[:MAX_BYTES].splitlines(keepends=True)[:MAX_LINES]:
        delimiters += line.startswith(b"--")
        nestings += len(_NESTING.findall(line))
        if delimiters > MOST_DELIMITERS or nestings > MOST_NESTINGS:
            break
        shortened = _shortened(line, LONGEST_LINE)
        field = len(shortened) + (field if line.startswith((b" ", b"\t")) else 0)
        if field <= LONGEST_FIELD:
            kept.append(shortened)
    return b"".join(kept)


def excerpt(raw: bytes) -> bytes:
    """For patterns that look through a line from each of its places: the beginning, in short lines and in ASCII.

    What is decoded may have long lines again: base64 and quoted-printable are left as they are; and so is what is not
    ASCII, for it would be decoded as whatever the mail says it is.
    """
    lines = (line[:LONGEST_EXCERPT_LINE] for line in raw[:EXCERPT_BYTES].splitlines())
    return _NOT_ASCII.sub(b"?", b"\n".join(line for line in lines if not line.lower().startswith(_ENCODED)))


def _shortened(line: bytes, to: int) -> bytes:
    text = line.rstrip(b"\r\n")
    return line if len(text) <= to else text[:to] + line[len(text) :]
