"""What replies of mail servers to us are about. Their words are theirs, shortened; their addresses are examples."""

import pytest

from app.feedback.replies import About, Stage, judge

US, SENDER, MAILBOX, LETTER = About.US, About.SENDER, About.MAILBOX, About.LETTER
MAIL, RCPT, CONTENT = Stage.MAIL, Stage.RCPT, Stage.CONTENT
REPLIES = [
    (US, MAIL, 530, "5.7.0 Must issue a STARTTLS command first"),
    (US, MAIL, 535, "5.7.8 Authentication failed"),
    (SENDER, MAIL, 553, "5.7.1 Sender address is not owned by this account"),
    (SENDER, MAIL, 550, "5.7.60 This client may not send as this sender"),
    (SENDER, MAIL, 550, "5.1.1 unknown sender"),
    (SENDER, MAIL, 553, "5.1.2 sender domain not found"),
    (US, MAIL, 550, "5.2.1 mailbox disabled, your account is suspended"),
    (SENDER, MAIL, 552, "5.2.2 over quota"),
    (US, RCPT, 554, "5.7.1 Client host is blocked by a list"),
    (US, RCPT, 550, "5.7.1 Relaying denied"),
    (US, RCPT, 550, "5.4.5 The daily limit of this account is reached"),
    (US, RCPT, 554, "5.7.1 Service unavailable; Client host [192.0.2.7] blocked using list.example.net"),
    (US, RCPT, 554, "5.7.1 <ada@example.org>: Relay access denied"),
    (US, RCPT, 550, "5.7.1 Unable to relay"),
    (US, RCPT, 553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
    (US, RCPT, 550, "5.7.1 relaying mail to example.net is not allowed"),
    (US, RCPT, 550, "relaying to <ada@example.org> prohibited by administrator"),
    (US, RCPT, 553, "Relaying disallowed"),
    (US, RCPT, 550, "SMTP AUTH is required for message submission"),
    (US, RCPT, 550, "5.5.2 user not logged in"),
    (US, RCPT, 550, "Invalid HELO name (See RFC2821 4.1.1.1)"),
    (US, RCPT, 554, "5.7.1 Helo command rejected: need fully-qualified hostname"),
    (US, RCPT, 450, "4.7.1 Client host rejected: cannot find your reverse hostname"),
    (US, RCPT, 550, "5.7.1 Client does not have permission to submit"),
    (US, RCPT, 550, "rejected because 192.0.2.1 is in a black list at bl.example.net"),
    (
        US,
        RCPT,
        550,
        "Domain example.org has exceeded the max emails per hour (100/100 (100%)) allowed. Message discarded.",
    ),
    (SENDER, RCPT, 553, "5.7.1 <news@example.org>: Sender address rejected: not owned by user ada"),
    (MAILBOX, RCPT, 550, "5.1.1 No such user here"),
    (MAILBOX, RCPT, 552, "5.2.2 The mailbox is full"),
    (MAILBOX, RCPT, 550, "5.2.1 The email account that you tried to reach is disabled"),
    (
        MAILBOX,
        RCPT,
        550,
        "5.1.1 <sendasdenied@example.org>: Recipient address rejected: User unknown in virtual mailbox table",
    ),
    (MAILBOX, RCPT, 550, "No such user here"),
    (LETTER, RCPT, 550, "Administrative prohibition"),
    (MAILBOX, RCPT, 550, "Command RCPT User not OK"),
    (MAILBOX, RCPT, 553, "5.3.0 <ada@example.org>... No such user here"),
    (MAILBOX, RCPT, 550, "5.4.1 Recipient address rejected: Access denied."),
    (
        MAILBOX,
        RCPT,
        450,
        "4.1.1 <ada@example.org>: Recipient address rejected: connect to y.example:25: Connection refused",
    ),
    (MAILBOX, RCPT, 450, "4.1.2 <a@network.nosuch.be>: Recipient address rejected: Domain not found"),
    (LETTER, RCPT, 554, "5.7.1 <info@my-network.be>: Recipient address rejected: Access denied"),
    (LETTER, RCPT, 554, "5.7.1 <client@host.be>: Recipient address rejected: Access denied"),
    (LETTER, RCPT, 550, "5.7.1 Rejected by the recipient's policy"),
    (LETTER, RCPT, 550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required"),
    (LETTER, RCPT, 550, "5.7.1 RESOLVER.RST.NotAuthorized; not authorized to send to the recipient address"),
    (LETTER, RCPT, 550, "5.7.1 You are not allowed to send mail to this address"),
    (MAILBOX, CONTENT, 550, "5.1.1 No such user here"),
    (MAILBOX, CONTENT, 552, "5.2.2 The mailbox is full"),
    (MAILBOX, CONTENT, 552, "Mailbox full"),
    (LETTER, CONTENT, 554, "5.7.1 The content looks like spam"),
    (LETTER, CONTENT, 554, "5.7.0 Reject, id=12345-01 - SPAM"),
    (LETTER, CONTENT, 552, "5.7.0 This message was blocked because its content presents a potential security issue"),
    (LETTER, CONTENT, 554, "5.7.9 Message not accepted for policy reasons"),
    (LETTER, CONTENT, 550, "High probability of spam"),
    (LETTER, CONTENT, 554, "5.7.1 Blocked by policy: message content"),
    (LETTER, CONTENT, 554, "5.6.0 Malformed"),
    (LETTER, CONTENT, 550, "5.7.1 Host mx said: message rejected as spam"),
    (LETTER, CONTENT, 550, "5.7.1 Please contact your domain administrator"),
    (US, CONTENT, 550, "5.4.5 Daily user sending limit exceeded"),
    (US, CONTENT, 554, "5.7.1 Your account has exceeded its daily sending quota"),
    (US, CONTENT, 554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException"),
    (US, CONTENT, 550, "5.2.2 Submission quota exceeded"),
    (US, CONTENT, 554, "5.2.0 STOREDRV.Submission.Exception:OutboundSpamException"),
    (US, CONTENT, 550, "5.1.90 Your message can't be sent because you've reached your daily limit"),
    (US, CONTENT, 554, "Transaction failed: Sending quota exceeded"),
    (US, CONTENT, 454, "Throttling failure: Daily message quota exceeded"),
    (US, CONTENT, 550, "Your account is disabled"),
    (US, CONTENT, 554, "Message rejected: Email address is not verified"),
    (US, CONTENT, 554, "Message rejected: Sending paused for this account"),
    (US, CONTENT, 554, "Access denied: User is not authorized to perform ses:SendRawEmail"),
    (US, CONTENT, 550, "5.4.6 Unusual sending activity detected"),
    (US, CONTENT, 550, "5.7.26 This mail has been blocked because the sender is unauthenticated"),
    (US, CONTENT, 550, "Account disabled"),
    (SENDER, CONTENT, 550, "5.7.60 SMTP; Client does not have permissions to send as this sender"),
    (SENDER, CONTENT, 554, "5.2.252 SendAsDenied; ada@example.org not allowed to send as news@example.org"),
]


def about(stage: Stage, code: int, text: str) -> About:
    return judge(code, "", text, stage).about


@pytest.mark.parametrize(("subject", "stage", "code", "text"), REPLIES)
def test_a_reply_is_about(subject: About, stage: Stage, code: int, text: str) -> None:
    assert about(stage, code, text) is subject


@pytest.mark.parametrize("name", ["network", "client", "host", "ip", "relay", "sendasdenied", "quota-exceeded", "rbl"])
def test_what_an_address_is_called_decides_nothing(name: str) -> None:
    """A stranger chooses it."""
    for address in (f"{name}@example.org", f"ada@{name}.example"):
        for quoted in (f"<{address}>", address):
            assert about(RCPT, 554, f"5.7.1 {quoted}: Recipient address rejected: Access denied") is LETTER
            assert about(RCPT, 550, f"5.1.1 {quoted}: Recipient address rejected: User unknown") is MAILBOX


@pytest.mark.parametrize("text", ["5.1.1 unknown", "5.2.2 full", "5.2.1 disabled", "no such user", "5.7.1 no", "what?"])
def test_mail_from_is_never_about_a_mailbox_or_a_letter(text: str) -> None:
    assert about(MAIL, 550, text) in (US, SENDER)
