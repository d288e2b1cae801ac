"""A process that takes mails for the listener, one at a time: `python -m app.feedback_mail.intake_process`.

Its standard input is a socket, over which the listener hands in a mail and waits for the answer. It ends when the other
end is closed, so when the listener has ended, for whatever reason. Mails are read in its main thread, where the limit
of processor time holds.
"""

import json
import signal
import socket
import sys
from contextlib import suppress

import config
from app import database, event_macs, logs
from app.database.postgresql import answering_within
from app.feedback_mail.mail_intake import MailIntake
from config import SettingsError

STATEMENT_SECONDS = 20
READY = b"ready\n"


def main() -> None:
    # The listener ends this process, behind the mail that it is at; Ctrl-C and systemd signal all processes at once.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    logs.make_streams_safe()
    try:
        settings = config.load()
    except SettingsError as error:
        raise SystemExit(str(error)) from None
    logs.configure(settings)
    opened = event_macs.attach_keys(database.connect(settings.database_url), settings.secret_keys)
    intake = MailIntake.of(settings, opened)
    with socket.fromfd(sys.stdin.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as listener, suppress(ConnectionError):
        # If nobody waits for the answer any more, the mail server has none either, and hands the mail over again.
        _serve(listener, intake)
    opened.dispose()


def _serve(listener: socket.socket, intake: MailIntake) -> None:
    listener.sendall(READY)
    with listener.makefile("rb") as requests:
        while (head := requests.readline()).endswith(b"\n"):
            recipients, length = json.loads(head)
            raw = requests.read(length)
            if len(raw) < length:
                return
            with answering_within(STATEMENT_SECONDS):
                done_with = intake.take(raw, recipients)
            listener.sendall(json.dumps(done_with).encode() + b"\n")


def request(raw: bytes, recipients: list[str]) -> bytes:
    return json.dumps([recipients, len(raw)]).encode() + b"\n" + raw


if __name__ == "__main__":
    main()
