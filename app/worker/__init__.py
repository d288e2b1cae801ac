"""The worker: loops that run the due steps until the worker is told to stop.

A step is one function that does a bounded piece of work and returns how much; the loops only sleep. Invariant: any
number of workers may run at once. Letters are claimed under a lease, purges skip locked rows, one worker at a time
seals, one watches for attacks, one audits per night. Each kind of work has a thread of its own, so that neither a slow
mail server nor a slow authority delays a checkpoint, and no purge, however large, delays a letter.
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
    housekeeping.purge_all_due(resources)
    sealer = Sealer(resources.database, resources.log)
    while sealer.step():
        pass
    attack_loop.watch(resources.database)
    anchoring.anchor_due(resources)
    auditing.audit_nightly(resources, threading.Event())


def run(app: Flask, stop: threading.Event) -> None:
    """Runs until `stop` is set; finishes the current letter first. Waits while the database is down."""
    resources = resources_of(app)
    sealer = Sealer(resources.database, resources.log)
    beside = [
        threading.Thread(target=sealer.run, args=(stop,), name="sealing"),
        threading.Thread(target=Housekeeper(resources).run, args=(stop,), name="housekeeping"),
        threading.Thread(target=attack_loop.run, args=(resources.database, stop), name="watching"),
        threading.Thread(target=auditing.run, args=(resources, stop), name="audit"),
    ]
    # A daemon, because shutdown need not wait for an authority: an unanswered request has written nothing.
    anchorer = threading.Thread(target=anchoring.run, args=(resources, stop), name="anchoring", daemon=True)
    for thread in (*beside, anchorer):
        thread.start()
    try:
        mail_loop.run(app, stop)
    finally:
        stop.set()
        for thread in beside:
            thread.join()
