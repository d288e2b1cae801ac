"""The worker: does the steps that are due, again and again, until it is told to stop.

A step is one function that does a bounded piece of work and says how much; the loops only sleep. Any number of workers
may run at once: letters are claimed under a lease, what is kept no longer is purged past what others have locked, one
seals at a time, one watches for attacks, one audits a night. Each kind of work has a thread of its own, so that neither
a slow mail server nor a slow authority delays a checkpoint, and no purge, however large, a letter.
"""

import threading

from flask import Flask

from app.resources import resources_of
from app.worker import anchoring, attack_loop, auditing, housekeeping, mail_loop
from app.worker.housekeeping import Housekeeper
from app.worker.sealer import Sealer


def run_once(app: Flask) -> None:
    """Do all that is due now."""
    resources = resources_of(app)
    mail_loop.run_once(app)
    housekeeping.keep_house(resources)
    sealer = Sealer(resources.database, resources.log)
    while sealer.step():
        pass
    attack_loop.watch(resources.database)
    anchoring.anchor_due(resources)
    auditing.audit_nightly(resources, threading.Event())


def run(app: Flask, stop: threading.Event) -> None:
    """Until `stop` is set; the letter in hand is finished first. A database that is away is waited for."""
    resources = resources_of(app)
    sealer = Sealer(resources.database, resources.log)
    beside = [
        threading.Thread(target=sealer.run, args=(stop,), name="sealing"),
        threading.Thread(target=Housekeeper(resources).run, args=(stop,), name="housekeeping"),
        threading.Thread(target=attack_loop.run, args=(resources.database, stop), name="watching"),
        threading.Thread(target=auditing.run, args=(resources, stop), name="audit"),
    ]
    # Nobody waits for an authority, not at the end either: what it has not answered yet was not written.
    anchorer = threading.Thread(target=anchoring.run, args=(resources, stop), name="anchoring", daemon=True)
    for thread in (*beside, anchorer):
        thread.start()
    try:
        mail_loop.run(app, stop)
    finally:
        stop.set()
        for thread in beside:
            thread.join()
