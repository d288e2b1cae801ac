"""Claims due letters, hands them to the connections, and records those that were accepted.

Invariant: between claim and record no transaction is open. Accepted letters are recorded together; if the worker dies
before, they go again under the same Message-ID: at most `in_progress.MOST_UNRECORDED`, and one for each connection.
"""

import threading
import time
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import clock, outbox
from app.database import Database, is_away, was_undone
from app.mail import acceptance, claim, retry, send
from app.mail.acceptance import AcceptedLetter
from app.mail.delivery import Transport
from app.mail.delivery.failures import NoFurtherConnection
from app.mail.in_progress import BATCH_SECONDS, ClaimedLetter, InProgress
from app.mail.lease_keeper import LEASE
from app.mail.send import SendingContext
from app.outbox import Letter

log = structlog.get_logger()

AT_MOST = 20
AT_MOST_AT_SPEED = 80
SPEED_SECONDS = 0.2
"""Claims that follow each other faster than this are larger: a claim costs the same whether it finds few or many."""
IDLE_SECONDS = 0.5
GATHER_SECONDS = 0.02
"""After a claim that found few: so that the next finds more than one, when they come one by one."""
FEWER_SECONDS = 60.0
"""How long no further connection is opened, after the server refused one beside others."""
RETRY_SECONDS = 0.5
LAST_TRIES_SECONDS = 4.0
"""For a process that is told to stop, and has ten seconds in all."""


class Dispatcher:
    """Of one worker. Each connection is a thread, started when there is a letter for it."""

    def __init__(self, database: Database, context: SendingContext) -> None:
        self._database, self._context = database, context
        self._in_progress = InProgress(context.relay.connections)
        self._threads: list[threading.Thread] = []
        self._fewer_until = 0.0
        self._claimed_at = float("-inf")
        self._at_most = AT_MOST

    def deliver_due(self) -> int:
        """As `claim_due`, and wait until each letter is settled."""
        claimed = self.claim_due()
        self._settle()
        return claimed

    def deliver_all(self) -> None:
        """Until nothing is due."""
        while self.claim_due() or self._in_progress.is_busy():
            while not self._is_short():
                self._record_or_wait(BATCH_SECONDS)
            if self._in_progress.is_busy():
                self._record_or_wait(GATHER_SECONDS)
        self._record_due()

    def claim_due(self) -> int:
        """Begin with letters that are due, AT_MOST or more, as far as limits and mail server allow.

        Returns how many were claimed or put off; 0 means there is nothing to do for now.
        """
        context = self._context
        self._record_due()
        context.recall.call(self._database)
        context.envelope.restore()
        at_most = context.circuit_breaker.room(self._at_most)
        # A probe is one letter: the next waits for what becomes of it.
        if not at_most or (at_most < self._at_most and self._in_progress.is_busy()):
            return 0
        with self._database.transaction() as session:
            admitted = claim.claim(session, context.measure, lease_for=LEASE, at_most=at_most)
        owed = send.look_up(self._database, context, admitted.letters)
        self._in_progress.add([ClaimedLetter(each) for each in owed])
        self._open_connections(len(owed))
        claimed = len(admitted.letters) + admitted.put_off
        self._keep_pace(claimed, at_most)
        return claimed

    def _keep_pace(self, claimed: int, at_most: int) -> None:
        now = time.monotonic()
        is_fast = claimed == at_most and now < self._claimed_at + SPEED_SECONDS
        self._at_most = min(2 * self._at_most, AT_MOST_AT_SPEED) if is_fast else AT_MOST
        self._claimed_at = now

    def pause(self, claimed: int) -> None:
        """Record what is due, until it is time for the next claim."""
        until = time.monotonic() + (0 if claimed >= AT_MOST else GATHER_SECONDS if claimed else IDLE_SECONDS)
        while not self._context.stop.is_set():
            left = until - time.monotonic()
            if left <= 0 and self._is_short():
                return
            self._record_or_wait(min(left, BATCH_SECONDS) if left > 0 else BATCH_SECONDS)

    def _is_short(self) -> bool:
        """Whether it is time for the next claim: while it is made, the connections go on with the other half."""
        return self._in_progress.is_short(self._at_most // 2)

    def close(self) -> None:
        """Give back what is not begun, finish and record the rest, and disconnect."""
        try:
            self._give_back([])
            self._settle()
        finally:
            self._in_progress.close()
            for thread in self._threads:
                thread.join()

    def _settle(self) -> None:
        while self._in_progress.is_busy():
            self._record_or_wait(BATCH_SECONDS)
        self._record_due()

    def _record_or_wait(self, seconds: float) -> None:
        """Record accepted letters if they are due, else wait until they are or a connection has taken a letter."""
        if not self._record_due():
            self._in_progress.await_change(seconds)

    def _record_due(self) -> bool:
        self._in_progress.raise_error()
        letters = self._in_progress.due()
        try:
            self._record(letters)
        finally:
            self._in_progress.forget(letters)
        return bool(letters)

    def _record(self, letters: Sequence[AcceptedLetter]) -> None:
        """Together; one by one if one of them is at fault."""
        try:
            if letters:
                self._record_in_time(letters)
        except SQLAlchemyError as error:
            if is_away(error) or was_undone(error):
                raise
            if len(letters) == 1:
                self._leave_unrecorded(letters[0].owed.letter, error)
            else:
                for each in letters:
                    self._record([each])

    def _record_in_time(self, letters: Sequence[AcceptedLetter]) -> None:
        """Retries until the first lease ends, or for LAST_TRIES once told to stop: an unmarked letter is sent again.

        Idempotent: the first success ends the leases.
        """
        leases = [each.owed.letter.leased_until for each in letters]
        until = time.monotonic() + (min(filter(None, leases)) - clock.now()).total_seconds()
        is_stopping = False
        while True:
            try:
                with self._database.transaction() as session:
                    acceptance.record(session, letters)
                break
            except SQLAlchemyError as error:
                if self._context.stop.is_set() and not is_stopping:
                    is_stopping, until = True, min(until, time.monotonic() + LAST_TRIES_SECONDS)
                can_pass = is_away(error) or was_undone(error)
                if not can_pass or time.monotonic() + RETRY_SECONDS > until:
                    raise
                log.warning("letters.not_marked", letters=len(letters), kind=type(error).__name__)
                time.sleep(RETRY_SECONDS)
        for each in letters:
            log.info("letter.sent", letter=str(each.owed.letter.id), kind=each.owed.letter.kind, reply=each.reply)

    def _leave_unrecorded(self, letter: Letter, error: SQLAlchemyError) -> None:
        """It has arrived, so that it must not be repeated without end: counted as one that got no answer."""
        with self._database.transaction() as session:
            retry.note_unanswered(session, letter)
            state = retry.leave_unanswered(session, letter)
        log.error("letter.not_recorded", letter=str(letter.id), state=state, kind=type(error).__name__)

    def _open_connections(self, letters: int) -> None:
        if self._threads and time.monotonic() < self._fewer_until:
            return
        for _ in range(min(letters, self._context.relay.connections - len(self._threads))):
            # A daemon: a letter that is left to its lease need not hold up the end of the process.
            thread = threading.Thread(target=self._connection, name="mail connection", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _connection(self) -> None:
        transport = self._context.relay.connect()
        try:
            with self._context.templates():
                while claimed := self._in_progress.take():
                    self._send(transport, claimed)
        except NoFurtherConnection as failure:
            log.warning("mail_server.fewer_connections", reply=failure.code, seconds=FEWER_SECONDS)
            self._fewer_until = time.monotonic() + FEWER_SECONDS
            self._threads.remove(threading.current_thread())
        transport.close()

    def _send(self, transport: Transport, claimed: ClaimedLetter) -> None:
        accepted = None
        try:
            if self._must_rest():
                self._give_back([claimed.letter])
            else:
                accepted = send.send(self._database, self._context, transport, claimed)
                if self._must_rest():
                    self._give_back([])
        except NoFurtherConnection:
            self._in_progress.add([claimed])
            raise
        except Exception as error:
            # Usually the database is away. The letter is left to its lease.
            self._in_progress.fail(error)
        finally:
            self._in_progress.finish(claimed, accepted)

    def _must_rest(self) -> bool:
        return self._context.stop.is_set() or not self._context.circuit_breaker.room(1)

    def _give_back(self, letters: Sequence[Letter]) -> None:
        """These, and all that wait for a connection."""
        not_begun = [*letters, *self._in_progress.withdraw()]
        if not_begun:
            with self._database.transaction() as session:
                outbox.release(session, not_begun)
