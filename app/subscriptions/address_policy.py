"""Which addresses a newsletter takes at all. What it does not take gets no mail, and nobody who asks is told so.

Role addresses are those of RFC 2142 sections 4 to 6 that a network's operators or its programs read: a signup for one
is a trap or a prank, and the letter ends at an abuse desk. Of that list `webmaster`, `www` and `news` are left out, and
so is all of its section 3 (`info`, `sales`, `support`, `marketing`): people of small places read their own mail there.
`mailer-daemon`, `listserv`, `majordomo` and the affixes of mailing lists are programs (RFC 5230 section 4.6); `root` is
the operator of a machine.
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
"""At its end: commands to a mailing list, which answers whoever writes there."""
OF_ITS_OWNER = "owner-"


def is_welcome(address: EmailAddress, newsletter: Newsletter) -> bool:
    """What the newsletter's policies say. One for which nothing can be known, for want of a list, is welcome."""
    if newsletter.role_addresses == "ignore" and is_role(address):
        return False
    return newsletter.disposable_domains != "ignore" or not is_disposable(address)


def is_role(address: EmailAddress) -> bool:
    """Whatever follows a plus is the mailbox's own business (RFC 5233), and leads to the same one."""
    name = address.canonical.rpartition("@")[0].partition("+")[0]
    return name in ROLES or name.endswith(OF_A_LIST) or name.startswith(OF_ITS_OWNER)


def is_disposable(address: EmailAddress) -> bool:
    """By its domain, or one above it: such services make new ones below their own."""
    parts = address.domain.split(".")
    return any(".".join(parts[start:]) in _disposable() for start in range(len(parts) - 1))


@cache
def _disposable() -> frozenset[str]:
    """Loaded where a newsletter first asks: it takes a few MB."""
    from disposable_email_domains import blocklist  # noqa: PLC0415 - it is in the extra `disposable`

    return frozenset(blocklist)
