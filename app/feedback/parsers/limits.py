"""Limits on how much of a mail is read, so that a stranger's mail costs little.

A report comes first and the letter that it returns last, so a cut-off end is not missed. Code that takes more than
linear time (Python's parser with nested parts and with parameters) gets only what has passed here; this is one pass
over the bytes.
"""

import re

MAX_BYTES = 256 * 1024
MAX_LINES = 4_000
"""Bounds the headers, the parts and the blocks of a report all at once, because each takes at least a line."""
LONGEST_LINE = 998
"""Without its line ending (RFC 5322 section 2.1.1)."""
LONGEST_FIELD = 8 * 1024
"""A header with the indented lines that continue it."""
MOST_DELIMITERS = 200
"""Lines that may begin a part (RFC 2046 section 5.1.1). A report has three parts."""
MOST_NESTINGS = 32
"""Mentions of `boundary` or `message/`, which announce nested parts: a bounce of a bounce adds three."""

_NESTING = re.compile(rb"boundary|message/", re.IGNORECASE)


def cut(raw: bytes) -> bytes:
    """The mail within the limits: overlong lines and headers are shortened, and the rest is cut off."""
    kept: list[bytes] = []
    delimiters = nestings = field = 0
    for line in raw[:MAX_BYTES].splitlines(keepends=True)[:MAX_LINES]:
        delimiters += line.startswith(b"--")
        nestings += len(_NESTING.findall(line))
        if delimiters > MOST_DELIMITERS or nestings > MOST_NESTINGS:
            break
        shortened = _shortened(line)
        field = len(shortened) + (field if line.startswith((b" ", b"\t")) else 0)
        if field <= LONGEST_FIELD:
            kept.append(shortened)
    return b"".join(kept)


def _shortened(line: bytes) -> bytes:
    text = line.rstrip(b"\r\n")
    return line if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + line[len(text) :]
