"""Mails that nobody sends but to keep `jawel feedback` busy: each asks for more work than its length is worth."""

import base64
from collections.abc import Callable

TEXT = b"Content-Type: text/plain\r\n\r\n"
ENCODED = b"Content-Transfer-Encoding: base64\r\n"
# What bounces begin with; behind it a reader looks for a reason.
OPENINGS = (
    b"Hi. This is the qmail-send program",
    b"This is the machine generated message from mail service.",
    b"The following addresses had permanent fatal errors",
    b"Your message could not be delivered to",
    b"did not reach the following recipient",
    b"This is the deliver program at",
    b"The following recipient(s) could not be reached",
    b"A message that you sent could not be delivered to one or more of its recipients",
    b"Delivery has failed",
    b"Delivery to the following recipient has been delayed",
)


def repeated(unit: bytes) -> Callable[[int], bytes]:
    return lambda size: unit * (size // len(unit)) + b"\r\n\r\n"


def text(unit: bytes) -> Callable[[int], bytes]:
    return lambda size: TEXT + b"\r\n".join(OPENINGS) + b"\r\n" + repeated(unit)(size)


def header(begin: bytes, unit: bytes, end: bytes = b"") -> Callable[[int], bytes]:
    return lambda size: begin + unit * (size // len(unit)) + end + b"\r\n\r\n--b\r\n\r\n--b--\r\n"


def part(head: bytes, unit: bytes) -> Callable[[int], bytes]:
    """In a report."""
    begin = b"X-Mailer: Novell\r\nContent-Type: multipart/%s; boundary=b\r\n\r\n--b\r\n"
    kind = b"report" if b"message/" in head or b"headers" in head else b"mixed"
    return lambda size: begin % kind + head + b"\r\n" + unit * (size // len(unit)) + b"\r\n--b--\r\n"


def encoded_part(head: bytes, unit: bytes) -> Callable[[int], bytes]:
    return lambda size: part(head + ENCODED, base64.encodebytes(unit * (size * 3 // 4 // len(unit))))(size)


def nested(head: bytes) -> Callable[[int], bytes]:
    """`head` names the boundary by its number."""

    def mail(size: int) -> bytes:
        heads = b"".join((head + b"\r\n\r\n--b%d\r\n") % (number, number) for number in range(300))
        return heads + TEXT + b"x\r\n" * (size // 3)

    return mail


def status_of_many(size: int) -> bytes:
    said = TEXT + b"user \r\n" * (size // 14) + b"\r\n--b\r\n"
    return part(said + b"Content-Type: message/delivery-status\r\n", b"Action: failed\r\n\r\n")(size // 2)


COSTLY: dict[str, Callable[[int], bytes]] = {
    "nested multiparts": nested(b"Content-Type: multipart/mixed; boundary=b%d"),
    "nested multiparts, folded": nested(b"Content-Type:\r\n multipart/mixed;\r\n BOUNDARY*0 =b%d"),
    "nested messages": repeated(b"Content-Type: message/rfc822\r\n\r\n"),
    "nested digests": repeated(b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"),
    "many recipients": repeated(b"To: " + b"a" * 65 + b"@example.net\r\n"),
    "many long recipients": repeated(b"Delivered-To: " + b"a" * 900 + b"\r\n"),
    "recipients in one header": header(b"To: ", b"a" * 48 + b"@example.net,\r\n "),
    "recipients of whom some are not ASCII": repeated(b"To: \xff" + b"a" * 60 + b"\r\n"),
    "many tiny headers": repeated(b"a:\n"),
    "many Received": repeated(b"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n"),
    "many parts": part(b"", b"--b\r\n\r\n"),
    "many delimiters": part(TEXT, b"--b \r\n"),
    "a delimiter and blanks": part(TEXT, b"--b" + b" " * 900 + b"x\r\n"),
    "parameters": header(b"Content-Type: multipart/mixed", b";a=b", b";boundary=b"),
    "parameters, folded": header(b"Content-Type: multipart/mixed", b";a=b;a=b;a=b\r\n ", b";boundary=b"),
    "parameters in pieces (RFC 2231)": header(b"Content-Type: multipart/mixed", b";\r\n boundary*1=x"),
    "quotation marks": header(b'Content-Type: multipart/mixed; boundary="', b'\\";'),
    "encoded words (RFC 2047)": header(b"Subject: ", b"=?utf-8?q?a?=\r\n "),
    "a long boundary": lambda size: (
        b"Content-Type: multipart/mixed; boundary=" + b"b" * size + b"\r\n\r\n" + b"x\r\n" * size
    ),
    "comments": header(b"From: ", b"("),
    "groups": header(b"From: ", b"a:"),
    "failed recipients": header(b"X-Failed-Recipients: ", b"a:;\r\n "),
    "blanks": text(b" "),
    "lines of blanks": text(b" " * 990 + b"\r\n"),
    "a header of blanks": header(b"To: ", b" "),
    "empty lines": text(b"\n"),
    "carriage returns": text(b"a \r"),
    "one letter": text(b"a"),
    "at signs": text(b"a@"),
    "commas": text(b", "),
    "angle brackets": text(b"<"),
    "quotes of quotes": text(b">\n"),
    "words of a refusal": text(b"user "),
    "words of a delimiter": text(b"boundary "),
    "Message-IDs": text(b"Message-ID:\r\n"),
    "short lines for patterns": text(b"a" * 190 + b"\r\n"),
    "a charset that is slow": header(b"Content-Type: text/plain; charset=punycode\r\n\r\n\xff-", b"a1" * 35 + b"\r\n"),
    "base64": encoded_part(b"Content-Type: text/plain\r\n", b"<"),
    "base64 of blanks": encoded_part(b"Content-Type: text/plain\r\n", b" "),
    "soft line breaks": part(b"Content-Transfer-Encoding: quoted-printable\r\n", b"<" * 70 + b"=\r\n"),
    "recipients of a report": part(b"Content-Type: message/delivery-status\r\n", b"Action: failed\r\n\r\n"),
    "recipients and words": status_of_many,
    "empty blocks of a report": part(b"Content-Type: message/delivery-status\r\n", b"\n"),
    "recipients in base64": encoded_part(b"Content-Type: message/global-delivery-status\r\n", b"Action: failed\n\n"),
    "empty blocks in base64": encoded_part(b"Content-Type: message/global-delivery-status\r\n", b"\n"),
    "diagnostics without a blank": part(
        b"Content-Type: message/delivery-status\r\n",
        b"Action: failed\r\nDiagnostic-Code: 550 " + b"a" * 900 + b"\r\n\r\n",
    ),
    "diagnostics in the text": text(b"Action: failed\r\nDiagnostic-Code: 550 " + b"user " * 100 + b"\r\n\r\n"),
    "quoted replies": text(b"<<< 550 user address mailbox account\r\n"),
    "tags": part(b"Content-Type: text/html\r\n", b"<style <!-- "),
    "returned letters": text(b"----- Return\r\n"),
    "return paths": encoded_part(b"Content-Type: text/rfc822-headers\r\n", b"Return-Path: " + b"a" * 500 + b"\n"),
    "tiny headers in base64": encoded_part(b"Content-Type: text/rfc822-headers\r\n", b"a:\n"),
}
"""By what there is too much of; each takes about how many bytes it is to have."""
