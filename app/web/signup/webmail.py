"""The webmail of large providers, by the domain of an address.

The next step after signing up is in the inbox, so the page links to it. Invariant: only the key of a provider goes into
a URL, never the address.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebmailProvider:
    name: str
    url: str
    domains: tuple[str, ...]
    """Full domains, or with a dot at the end for any country: `yahoo.` stands for yahoo.fr and yahoo.co.uk."""


MAILBOXES = {
    "gmail": WebmailProvider("Gmail", "https://mail.google.com", ("gmail.com", "googlemail.com")),
    "outlook": WebmailProvider("Outlook", "https://outlook.live.com", ("outlook.", "hotmail.", "live.", "msn.com")),
    "yahoo": WebmailProvider("Yahoo Mail", "https://mail.yahoo.com", ("yahoo.", "ymail.com")),
    "icloud": WebmailProvider("iCloud Mail", "https://www.icloud.com/mail", ("icloud.com", "me.com", "mac.com")),
    "proton": WebmailProvider("Proton Mail", "https://mail.proton.me", ("proton.me", "protonmail.com", "pm.me")),
    "telenet": WebmailProvider("Telenet", "https://webmail.telenet.be", ("telenet.be", "pandora.be")),
    "proximus": WebmailProvider("Proximus", "https://webmail.proximus.be", ("skynet.be", "proximus.be")),
    "orange": WebmailProvider("Orange", "https://mail.orange.fr", ("orange.fr", "wanadoo.fr")),
    "free": WebmailProvider("Free", "https://webmail.free.fr", ("free.fr",)),
    "sfr": WebmailProvider("SFR Mail", "https://webmail.sfr.fr", ("sfr.fr", "neuf.fr")),
    "laposte": WebmailProvider("La Poste", "https://www.laposte.net", ("laposte.net",)),
    "gmx": WebmailProvider("GMX", "https://www.gmx.net", ("gmx.",)),
    "web_de": WebmailProvider("WEB.DE", "https://web.de", ("web.de",)),
    "t_online": WebmailProvider("T-Online", "https://email.t-online.de", ("t-online.de",)),
    "ziggo": WebmailProvider("Ziggo", "https://webmail.ziggo.nl", ("ziggo.nl", "home.nl")),
    "kpn": WebmailProvider("KPN", "https://webmail.kpnmail.nl", ("kpnmail.nl", "planet.nl", "hetnet.nl")),
}


def key_for(domain: str) -> str | None:
    """`domain` in lower case, as of a parsed address. None for a domain that is not a known provider's."""
    return _KEYS.get(domain) or _KEYS.get(domain.partition(".")[0] + ".")


def find(key: str | None) -> WebmailProvider | None:
    """None for any other key that a URL may hold."""
    return MAILBOXES.get(key or "")


_KEYS = {domain: key for key, each in MAILBOXES.items() for domain in each.domains}
