"""Rows by words about the mailbox, in the order in which they are asked; `judging` says what comes between them."""

from app.feedback.replies.meanings import Meaning, row, words

_BOX = (
    r"(?:local[ -]|e-?mail )?(?:users?|recipients?|rcpt|mail ?-?box(?:es)?|address(?:es)?|accounts?|alias|addressee"
    r"|user ?id|user ?name|local[ -]?part|customer|subscriber|person|inbox|login)"
)
_GAP = r"(?:[^.;]|\.\b){0,80}"
"""Ends with the sentence; names may hold dots."""
_ENDED = r"(?:disabled|closed|deleted|removed|terminated|cancell?ed|discontinued|deactivated)"

FULL = (
    words(
        Meaning.UNAVAILABLE,
        "RFC 3463 X.2.2, RFC 5321 section 4.2.3 (552)",
        r"(?:over ?)?quotas?\b",
        r"mail ?-?(?:box|folder|dir)\b[^.;]{0,40}\b(?:full|exceed)",
        r"(?:user|inbox|recipient|account|mailbox)\b[^.;]{0,40}\b(?:full\b|exceed|over (?:its|the|his))",
        r"full mail ?box",
        r"mailbox size limit",
        r"(?:disk|storage|mailbox)\b[^.;]{0,15}\b(?:space|full|limit|allocation)",
        r"out of (?:storage|space)",
        r"no space left",
        r"space not enough",
        r"too many messages on\b",
    ),
    row(
        Meaning.UNAVAILABLE,
        "the same in other languages: web.de, Fibertel, KDDI, mail.ru and others",
        r"\bzuviele Mails|\bPostfach\b[^.;]{0,20}\bvoll\b",
        r"\bbo[iî]te\b[^.;]{0,20}\bpleine|\bcasella\b[^.;]{0,20}\bpiena|\bcaixa\b[^.;]{0,20}\bcheia",
        r"\b(?:casilla|buz[oó]n)\b[^.;]{0,30}\b(?:agotado|lleno)",
        r"переполнен|邮箱已满|容量|メールボックスが(?:一杯|いっぱい)",
    ),
)
SUSPENDED = (
    words(
        Meaning.UNAVAILABLE,
        "RFC 3463 X.2.1, as far as it is temporary",
        rf"{_BOX}\b{_GAP}\btemporar",
        r"temporar\w+ (?:locked|disabled|suspended|unavailable|inactive)",
        r"suspend",
        r"locked\b",
        r"frozen\b",
        r"not (?:yet )?activated",
        rf"{_BOX}\b[^.;:]{{0,30}}\bexpired\b",
        r"badrcptto\b",
    ),
)
GONE = (
    words(
        Meaning.GONE,
        "RFC 3463 X.1.1, as Sendmail, Postfix, Exim, qmail, Courier, Exchange, Domino and the providers put it",
        r"(?:unknown|invalid|no such|non-?exist(?:ent|ing)|not existing|bad|wrong|illegal|inexistent|unresolvable)"
        rf"(?: or \w+)?(?: final delivery| destination| to| rcpt| e-?mail| virtual)? {_BOX}\b",
        rf"{_BOX}\b{_GAP}\b(?:unknown|not[ -]?found|non-?existent|is invalid|couldn't be found)",
        rf"{_BOX}\b{_GAP}(?:\bnot|n't|\bno) exist",
        rf"{_BOX}\b{_GAP}\bnot (?:in|on) (?:the |our |my )?(?:\w+ )?(?:database|directory|list)",
        rf"{_BOX}\b{_GAP}\bnot a member of (?:the |this )?domain",
        rf"{_BOX}\b{_GAP}\bnot (?:be )?(?:known|recogni[sz]ed|valid|listed in|registered)",
        r"(?:not|that's not|isn't|no) an? (?:\w+ )?(?:known|valid|active|existing|registered|recogni[sz]ed|local)"
        rf"(?: \w+)? {_BOX}",
        rf"no {_BOX}\b[^.;]{{0,30}}\b(?:by|of|with|at|here|on|in|named|called|found|for)\b",
        r"no valid recipients? for\b",
        rf"(?:unable to|can ?not|could ?n[o']t) (?:find|locate) (?:the |that )?{_BOX}",
        r"(?:nobody|no one|no person)(?: here)? (?:by|with|of) that name",
        r"(?:does|do)(?: not|n't) have an? (?:\S+ ){0,2}(?:account|mailbox)",
        r"no longer (?:exist|accept|in use|valid|works?|employed|here|active|available|with us|an? \w+)",
        r"not our (?:customer|user)",
        r"not known (?:here|at|in|to|on)\b",
        r"\w*Recip(?:ient)?NotFound\b",
        r"nosuchuser\b",
    ),
    row(Meaning.GONE, "Postfix, behind the address alone", r"^\W*unknown\W*$"),
    words(
        Meaning.GONE,
        "RFC 5321 section 4.2.3 (550) word for word: Outlook.com, GMX and others mean an unknown user",
        r"requested action not taken: ?mailbox (?:un|not )available",
        r"unknown recipient or mailbox unavailable",
    ),
    words(
        Meaning.GONE,
        "RFC 3463 X.2.1: disabled or closed for good",
        rf"{_BOX}\b(?:[^.;:]{{0,60}}\b(?:is|was|are|been))? (?:now |permanently )?{_ENDED}\b",
        rf"{_ENDED} {_BOX}\b",
    ),
    words(
        Meaning.GONE,
        "RFC 3463 X.1.2, RFC 7505: the domain takes no mail, as Exim, Postfix and Sendmail put it",
        r"unrouteable (?:mail )?(?:address|domain)",
        r"does not accept mail\b",
        r"nullmx\b",
        r"indicated no smtp service",
        r"host unknown\b",
        r"unknown (?:host|domain)\b",
        r"no such (?:host|domain)\b",
        r"domain (?:name )?does(?: not|n't) exist",
    ),
    row(
        Meaning.GONE,
        "the same in other languages: T-Online, La Poste, Domino, ezweb, mail.ru and others",
        r"\b(?:benutzer|empf(?:ae|ä|\W+)nger|postfach|adresse)\b[^.;]{0,30}\b(?:unbekannt|existiert nicht)",
        r"\bunbekannter? (?:benutzer|empf)",
        r"\b(?:destinataire|utilisateur)\b[^.;]{0,20}\b(?:invalide|inconnu)|\badresse\b[^.;]{0,40}\bn'existe pas",
        r"\b(?:usuario|destinatario)\b[^.;]{0,20}\b(?:desconocido|inexistente|no existe)|\bcasilla ha expirado",
        r"\b(?:utente|destinatario)\b[^.;]{0,20}\b(?:sconosciuto|inesistente)",
        r"\b(?:usu[aá]rio|destinat[aá]rio)\b[^.;]{0,20}\b(?:desconhecido|n[aã]o existe)",
        r"\b(?:gebruiker|ontvanger)\b[^.;]{0,20}\b(?:onbekend|bestaat niet)|\bonbekende (?:gebruiker|ontvanger)",
        r"(?:пользователь|ящик)[^.;]{0,30}не (?:найден|существует)|(?:用户|收件人|邮箱)[^。]{0,20}不存在",
        r"(?:宛先|アドレス|ユーザ|ディレクトリ|メールボックス)[^。]{0,40}(?:見つかりません|存在しません|ありません)",
    ),
)
WITH_CODE = (
    row(
        Meaning.GONE,
        "Exchange Online, for a recipient that the organisation does not have",
        r"5\.4\.1 .{0,80}\b(?:Recipient address|All recipient addresses) rejected ?: Access denied",
    ),
    row(Meaning.GONE, "Cisco's gateway, for whom its table does not have", r"5\.1\.0 \W*Address rejected\W*(?:\(|$)"),
)
"""Words that mean it with one enhanced code alone, which stands before them here."""
INACTIVE = (words(Meaning.UNAVAILABLE, "Google's 5.2.1: nobody has opened it for long", r"inactiv"),)
UNREACHABLE = (
    words(
        Meaning.UNAVAILABLE,
        "RFC 5321 section 4.2.3 (450, 550), but not word for word",
        r"mail ?box\b[^.;]{0,20}\b(?:unavailable|not available)",
    ),
    words(
        Meaning.UNAVAILABLE,
        "RFC 3463 X.4.1, X.4.4, X.4.7: its host does not answer or is not found, and time is up",
        r"tim(?:ed?[ -]?out|e-?out)",
        r"retry time",
        r"connection (?:refused|reset|dropped|closed)",
        r"lost connection\b",
        r"socket error",
        r"no route to host",
        r"no answer from\b",
        r"(?:un|not )reachable\b",
        r"host (?:is )?(?:down|not found)",
        r"not? (?:able to )?(?:establish|connect)",
        r"not accept our requests\b",
        r"name service error",
        r"DNS lookup",
        r"find (?:any|a) (?:host|mail exchanger)",
        r"not be delivered for\b",
        r"expired\b",
        r"too long\b",
    ),
)
