"""Mails that come back for a letter: as mail servers return it, people complain of it, and programs answer it."""

from email.message import EmailMessage

from tests.service import ADA, Letter


def returned(letter: Letter, status: str = "5.1.1", action: str = "failed") -> bytes:
    """The letter as a mail server sends it back."""
    report = (
        f"Reporting-MTA: dns; mx.example.com\r\n\r\nFinal-Recipient: rfc822; {letter.delivered.recipient}\r\n"
        f"Action: {action}\r\nStatus: {status}\r\n"
    )
    return multipart("delivery-status", letter.delivered.sender, report, letter.delivered.raw)


def complained(letter: Letter, said: str = "abuse") -> bytes:
    report = f"Feedback-Type: {said}\r\nUser-Agent: loop/1.0\r\nVersion: 1\r\n"
    return multipart("feedback-report", "abuse@example.org", report, letter.delivered.raw)


def multipart(kind: str, to: str, report: str, original: bytes) -> bytes:
    head = (
        f"From: MAILER-DAEMON@mx.example.com\r\nTo: {to}\r\nAuto-Submitted: auto-replied\r\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/{kind}\r\n\r\n{report}\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\n"
    )
    return head.encode() + original + b"\r\n--b--\r\n"


def absence(letter: Letter) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = ADA, letter.delivered.sender
    mail["Subject"], mail["Auto-Submitted"] = "Out of office", "auto-replied"
    mail["In-Reply-To"] = str(letter.delivered.message["Message-ID"])
    mail.set_content("I am away. The user ada@example.org is unknown here until Monday. 550 5.1.1 User unknown.")
    return mail.as_bytes()
