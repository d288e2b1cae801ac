"""The header by which a mail provider takes the id of a letter, to pass it back with what it reports.

Invariant: it says no more than the letter's Message-ID does, and nothing about a person.
"""

from dataclasses import dataclass
from uuid import UUID

_PLACEHOLDER = "LETTER"


@dataclass(frozen=True, slots=True)
class LetterHeader:
    domains: tuple[str, ...]
    """Of the provider's mail servers."""
    name: str
    value: str = _PLACEHOLDER

    def serves(self, host: str) -> bool:
        """Whether the mail server of that name is one of the provider's."""
        return f".{host.lower().rstrip('.')}".endswith(tuple(f".{each}" for each in self.domains))

    def filled_in(self, letter_id: UUID) -> str:
        return self.value.replace(_PLACEHOLDER, str(letter_id))
