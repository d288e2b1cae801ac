"""Tables of the manual, as tests read them."""

import re
from collections.abc import Iterator


def tables(text: str) -> Iterator[list[list[str]]]:
    """The rows of each table, its header first, without the line beneath that."""
    for found in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found.splitlines()]
        yield [rows[0], *rows[2:]]
