"""Which addresses a newsletter accepts. A refused address gets no mail, and the requester is not told.

Role addresses are those of RFC 2142 sections 4 to 6 that network operators or their programs read: a signup for one is
a trap or a prank, and the letter ends at an abuse desk. `webmaster`, `www` and `news` are left out of that list, and so
is all of its section 3 (`info`, `sales`, `support`, `marketing`): in small organisations people read their own mail
there. `mailer-daemon`, `listserv`, `majordomo` and the affixes of mailing lists are programs (RFC 5230 section 4.6);
`root` is the operator of a machine.
"""

from functools import cache

from app.addresses import EmailAddress
from app.newsletters.definitions import Newsletter

ROLES = frozenset(
    {
        *("abuse", "noc", "security"),
        *("postmaster", "hostmaster", "usenet", "uucp", "ftp"),
        *("mailer-daemon", "listserv", "majordomo", "root"),
    }
)
OF_A_LIST = "-request"
"""Suffix of a mailing list's command address, which answers every sender."""
OF_ITS_OWNER = "owner-"


def is_welcome(address: EmailAddress, newsletter: Newsletter) -> bool:
    """Apply the newsletter's policies. Without the list of disposable domains, their addresses are accepted."""
    if newsletter.role_addresses == "ignore" and is_role(address):
        return False
    return newsletter.disposable_domains != "ignore" or not is_disposable(address)


def is_role(address: EmailAddress) -> bool:
    """Ignores what follows a plus: a subaddress leads to the same mailbox (RFC 5233)."""
    name = address.canonical.rpartition("@")[0].partition("+")[0]
    return name in ROLES or name.endswith(OF_A_LIST) or name.startswith(OF_ITS_OWNER)


def is_disposable(address: EmailAddress) -> bool:
    """Whether the domain or one above it is listed: such services create new subdomains."""
    parts = address.domain.split(".")
    return any(".".join(parts[start:]) in _disposable() for start in range(len(parts) - 1))


@cache
def _disposable() -> frozenset[str]:
    """Loaded on first use: it takes a few MB."""
    from disposable_email_domains import blocklist  # noqa: PLC0415 - it is in the extra `disposable`

    return frozenset(blocklist)
