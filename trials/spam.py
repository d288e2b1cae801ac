"""Every letter before SpamAssassin and rspamd: neither may name a symbol above 0 for something that we write.

The letters are those of `trials/arrivals.py`, and one more that is spoilt on purpose: filters that find nothing in it
do not look.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import click

from trials.arrivals import Incoming, arrivals
from trials.spam_filters import Symbols, ask_rspamd, ask_spamassassin, require


@dataclass(frozen=True, slots=True)
class Excuse:
    symbol: str
    why: str
    letters: str = ""
    """A pattern of the names of letters in which it is one: of all, where it is empty."""


EXCUSES = (
    Excuse("HFILTER_FROMHOST_NORES_A_OR_MX", "the sender's domain is an example, and not in DNS"),
    Excuse("HFILTER_HELO_IP_A", "nor is the name of the relay"),
    Excuse("HFILTER_HELO_NORES_A_OR_MX", "nor is the name of the relay"),
    Excuse("HTML_MESSAGE", "there is a part in HTML, as in most mail"),
    Excuse("R_MIXED_CHARSET", "accents in a title or a name are the catalogue's", r"^accents .* (nl|en)$"),
)
"""Symbols above 0 that are not for what we write."""
FILTERS: dict[str, Callable[[Sequence[Incoming]], list[Symbols]]] = {
    "SpamAssassin": ask_spamassassin,
    "rspamd": ask_rspamd,
}
FOUND_IN_SPOILT = {"MIME_HTML_ONLY", "MISSING_MID"}
"""By either of them."""


def spoilt(letter: Incoming) -> Incoming:
    """The same without its text and its Message-ID."""
    head, _, body = letter.raw.partition(b"\r\n\r\n")
    _, _text, html = re.split(rb"\r\n(?=Content-Type: text/)", body)
    head = re.sub(rb"\r\n(Message-ID|Content-Type|MIME-Version):[^\r]*", b"", head)
    return replace(letter, raw=head + b"\r\n" + html.rpartition(b"\r\n--=_")[0])


def judge(letters: Sequence[Incoming], found: Sequence[Symbols]) -> int:
    """How often a symbol is of our making. Prints all that are above 0."""
    excused: Counter[tuple[str, float, str]] = Counter()
    ours = 0
    for letter, symbols in zip(letters, found, strict=True):
        for symbol, score in symbols.items():
            if score <= 0:
                continue
            if why := _excuse(symbol, letter):
                excused[symbol, score, why] += 1
            else:
                ours += 1
                click.echo(f"  {symbol} {score:.3f} in: {letter.name}")
    for (symbol, score, why), count in sorted(excused.items()):
        click.echo(f"  {symbol:<31}{score:6.3f} in {count:,}: {why}")
    click.echo(f"  {'of our making':<31}{ours:6}")
    return ours


def _excuse(symbol: str, letter: Incoming) -> str | None:
    return next((each.why for each in EXCUSES if each.symbol == symbol and re.search(each.letters, letter.name)), None)


@click.command("spam")
def trial() -> None:
    """Show every letter, in every language, to SpamAssassin and rspamd."""
    for name in FILTERS:
        require(name.lower())
    letters = list(arrivals())
    click.echo(f"{len(letters)} letters")
    ours = 0
    for name, ask in FILTERS.items():
        *found, of_spoilt = ask([*letters, spoilt(letters[0])])
        if unseen := FOUND_IN_SPOILT - {symbol for symbol, score in of_spoilt.items() if score > 0}:
            raise click.ClickException(f"{name} does not find {', '.join(sorted(unseen))} in a letter that is spoilt.")
        click.echo(name)
        ours += judge(letters, found)
    raise SystemExit(bool(ours))


if __name__ == "__main__":
    trial()
