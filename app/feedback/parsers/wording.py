"""A mail's text for people, up to the letter that it returns."""

import re

from app.feedback.parsers.mail import AnyMessage, Mail

_LONGEST = 16 * 1024
"""Characters that are read: decoded content may exceed what the mail was cut to."""
_RETURNED = re.compile(
    r"^[ \t>]*(?:return-path|received):"
    r"|^[ \t>]*-{2,}[ \t]*(?:below this line|the (?:header|body|text|first)|this is a copy|enclosed|included|original"
    r"|unsent|returned|message header|start of (?:returned|forwarded)|(?:a )?copy of)|^[ \t]*original message follows",
    re.IGNORECASE | re.MULTILINE,
)
"""The line with which it begins."""
_PREFERRED = {"text/plain": 0, "text/html": 1}
_CHARSETS = re.compile(
    r"us-ascii|utf-?8|iso-8859-\d+|windows-125\d|koi8-[ru]|iso-2022-jp|shift_jis|euc-(?:jp|kr)|gb(?:2312|k|18030)|big5",
    re.IGNORECASE,
)
"""Those that mail systems use. Python decodes others too, some of them slowly."""
_ISO_2022_JP = b"\x1b$"
_HIDDEN = ("style", "script", "head")


def of(mail: Mail) -> str:
    found = sorted(mail.own_parts, key=_rank)
    said = next(filter(str.strip, map(_readable, found)), "")
    return _RETURNED.split(said[:_LONGEST], maxsplit=1)[0]


def decoded(content: bytes, charset: str) -> str:
    """Some name no charset, or a wrong one, where Japanese text shows its own."""
    if _ISO_2022_JP in content:
        charset = "iso-2022-jp"
    return content.decode(charset if _CHARSETS.fullmatch(charset) else "utf-8", "replace")


def _rank(part: AnyMessage) -> int:
    """A parameter without its semicolon stands in the type."""
    return _PREFERRED.get(part.get_content_type().partition(" ")[0], len(_PREFERRED))


def _readable(part: AnyMessage) -> str:
    """Empty if it has parts, or is another mail. A multipart without parts is text after all."""
    content = part.get_payload(decode=True)
    if part.get_content_maintype() not in ("text", "multipart") or not isinstance(content, bytes):
        return ""
    said = decoded(content[:_LONGEST], str(part.get_content_charset() or ""))
    return _without_tags(said) if part.get_content_type() == "text/html" else said


def _without_tags(html: str) -> str:
    """Each tag ends a line. In one pass: a pattern with gaps would take square time."""
    first, *pieces = html.split("<")
    kept, hidden = [first], ""
    for piece in pieces:
        tag, _, said = piece.partition(">")
        name = tag.split(maxsplit=1)[0].lower() if tag.strip() else ""
        hidden = name if not hidden and name in _HIDDEN else "" if name == f"/{hidden}" else hidden
        if not hidden:
            kept.append(said)
    return "\n".join(kept)
