"""Rows by code, for what words leave open. Enhanced codes: RFC 3463, and IANA's registry of them."""

from app.feedback.replies.meanings import Meaning, row

TO_US_BASIC = frozenset({503, 530, 534, 535, 538})
"""No TLS, no log-in, a wrong one, a sequence that the server does not allow (RFC 4954, RFC 3207)."""
MAILBOX_BASIC = frozenset({450, 550, 551, 552, 553})
"""Mailbox unavailable, user not local, storage exceeded, mailbox name not allowed (RFC 5321 section 4.2.3)."""

SENDER = row(Meaning.SENDER, "RFC 3463 X.1.7, X.1.8; Microsoft's 5.7.60", r"[45]\.(?:1\.[78]|7\.60)")
OTHERS = (
    SENDER,
    row(Meaning.LETTER, "Microsoft's: only some may write to this recipient", r"[45]\.7\.1(?:2|24|3[3-6])"),
    row(
        Meaning.US,
        "RFC 4954, RFC 7372; Microsoft's 5.1.90 and 5.7.54 to 5.7.7xx; Google's 5.4.5",
        r"[45]\.(?:1\.90|7\.(?:8|11|14|2[0-7]|54|57|64|[5-7]\d\d)|4\.5)",
    ),
    row(
        Meaning.LETTER,
        "RFC 3463 X.3.1 (the server is full), X.4.6 (a loop), X.6, X.7",
        r"[45]\.(?:3\.1|4\.6|6\.\d+|7\.(?:[2-79]|10))",
    ),
)
"""About us, our sender or the letter, and about nothing else: they veto words about the mailbox."""
SIZE_OR_FULL = (
    row(Meaning.LETTER, "RFC 3463 X.2.3, X.3.4; servers give them for full mailboxes too", r"[45]\.(?:2\.3|3\.4)"),
    row(Meaning.UNAVAILABLE, "RFC 3463 X.2.2", r"[45]\.2\.2"),
)
GONE = (
    row(Meaning.GONE, "RFC 3463 X.1.1, X.1.2, X.1.3, X.1.6", r"5\.1\.[1236]"),
    row(Meaning.GONE, "RFC 7505 (X.1.10); Microsoft gives it for a recipient that it does not know", r"5\.1\.10"),
    row(Meaning.GONE, "Microsoft's: the other server knows no such recipient", r"5\.1\.351"),
    row(Meaning.GONE, "RFC 7293 (X.7.17, X.7.18): mailbox or domain has another owner now", r"5\.7\.1[78]"),
)
DISABLED = (row(Meaning.GONE, "RFC 3463 X.2.1", r"5\.2\.1"),)
TO_US_BEFORE_CONTENT = (
    row(
        Meaning.US,
        "RFC 3463 X.3, X.5, X.7; behind the content, filters say 5.7.0 and 5.7.9 of the letter",
        r"5\.(?:7\.(?:0|9|13)|3\.[012]|5\.\d+)",
    ),
)
UNAVAILABLE = (
    row(Meaning.UNAVAILABLE, "RFC 3463 X.1, X.2", r"[45]\.[12]\.\d+"),
    row(
        Meaning.UNAVAILABLE,
        "RFC 3463 X.4.0 to X.4.4, X.4.7; Microsoft's 5.4.310 to 5.4.317: no way to its host",
        r"[45]\.4\.(?:[0-47]|31\d)",
    ),
)
