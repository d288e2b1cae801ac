"""Whose a domain is: the organisation around it, and providers that lend theirs to everybody."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

FREE_MAIL = frozenset(
    """
    aol.com bbox.fr belgacom.net bluewin.ch btinternet.com chello.nl fastmail.com free.fr freenet.de gmail.com gmx.at
    gmx.ch gmx.com gmx.de gmx.fr gmx.net googlemail.com hetnet.nl home.nl hotmail.be hotmail.co.uk hotmail.com
    hotmail.de hotmail.es hotmail.fr hotmail.it hotmail.nl icloud.com kpnmail.nl laposte.net live.be live.co.uk live.com
    live.fr live.nl mac.com mail.de me.com msn.com neuf.fr orange.fr outlook.be outlook.com outlook.de outlook.es
    outlook.fr outlook.it pandora.be planet.nl pm.me posteo.de proton.me protonmail.ch protonmail.com proximus.be
    rocketmail.com scarlet.be sfr.fr skynet.be t-online.de telenet.be tuta.com tuta.io tutanota.com voo.be wanadoo.fr
    web.de xs4all.nl yahoo.co.uk yahoo.com yahoo.de yahoo.es yahoo.fr yahoo.it ymail.com zeelandnet.nl ziggo.nl
    """.split()  # noqa: SIM905 - in a list each would take a line
)
"""Mail providers of Belgium and its neighbours. Not all there are: one that is missing is not warned of."""


def organisational(domain: str) -> str:
    """The part that somebody registered, below a public suffix such as `co.uk` (RFC 7489 section 3.2).

    RFC 9989 finds it by the DMARC records above the domain: the same wherever the organisation has one.
    """
    return _suffixes().privatesuffix(domain) or domain


@cache
def _suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - reading the list takes 50 ms

    return PublicSuffixList()
