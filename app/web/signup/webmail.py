"""Where people read their mail, as far as the domain of an address tells.

After signing up the next step is in the inbox, and a link there saves looking for it. Only the key of a provider goes
into a URL, never the address.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mailbox:
    name: str
    url: str
    domains: tuple[str, ...]
    """In full, or with a dot at the end: then under any country's ending, as `yahoo.` for yahoo.fr and yahoo.co.uk."""


MAILBOXES = {
    "gmail": Mailbox("Gmail", "https://mail.google.com", ("gmail.com", "googlemail.com")),
    "outlook": Mailbox("Outlook", "https://outlook.live.com", ("outlook.", "hotmail.", "live.", "msn.com")),
    "yahoo": Mailbox("Yahoo Mail", "https://mail.yahoo.com", ("yahoo.", "ymail.com")),
    "icloud": Mailbox("iCloud Mail", "https://www.icloud.com/mail", ("icloud.com", "me.com", "mac.com")),
    "proton": Mailbox("Proton Mail", "https://mail.proton.me", ("proton.me", "protonmail.com", "pm.me")),
    "telenet": Mailbox("Telenet", "https://webmail.telenet.be", ("telenet.be", "pandora.be")),
    "proximus": Mailbox("Proximus", "https://webmail.proximus.be", ("skynet.be", "proximus.be")),
    "orange": Mailbox("Orange", "https://mail.orange.fr", ("orange.fr", "wanadoo.fr")),
    "free": Mailbox("Free", "https://webmail.free.fr", ("free.fr",)),
    "sfr": Mailbox("SFR Mail", "https://webmail.sfr.fr", ("sfr.fr", "neuf.fr")),
    "laposte": Mailbox("La Poste", "https://www.laposte.net", ("laposte.net",)),
    "gmx": Mailbox("GMX", "https://www.gmx.net", ("gmx.",)),
    "web_de": Mailbox("WEB.DE", "https://web.de", ("web.de",)),
    "t_online": Mailbox("T-Online", "https://email.t-online.de", ("t-online.de",)),
    "ziggo": Mailbox("Ziggo", "https://webmail.ziggo.nl", ("ziggo.nl", "home.nl")),
    "kpn": Mailbox("KPN", "https://webmail.kpnmail.nl", ("kpnmail.nl", "planet.nl", "hetnet.nl")),
}


def key_for(domain: str) -> str | None:
    """`domain` in lower case, as of a parsed address. None where it may be anybody's own."""
    return _KEYS.get(domain) or _KEYS.get(domain.partition(".")[0] + ".")


def find(key: str | None) -> Mailbox | None:
    """Whatever else a URL may say is no provider."""
    return MAILBOXES.get(key or "")


_KEYS = {domain: key for key, each in MAILBOXES.items() for domain in each.domains}
