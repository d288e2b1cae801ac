"""What stands in a letter as a mail server is handed it."""

import re
from html.parser import HTMLParser

from tests.service import Letter


def header(letter: Letter, name: str) -> str:
    """As it stands on the wire, line breaks and all; there is exactly one of that name."""
    head = letter.delivered.raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    (found,) = re.findall(rf"^{name}: (.*?)\r\n(?![ \t])".encode(), head, re.MULTILINE | re.DOTALL)
    return bytes(found).decode("ascii")


class Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        names = ("href", "src", "background", "action", "srcset")
        self.addresses += [str(value) for name, value in attrs if name in names]
        self.addresses += [str(value) for name, value in attrs if name == "style" and "url" in str(value)]
