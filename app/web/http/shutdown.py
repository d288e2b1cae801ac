"""Tells those who wait within a request that the server was told to stop.

A server has signal handlers of its own, which it sets after the application is loaded. What Python writes to a file
descriptor at each signal (`signal.set_wakeup_fd`) comes beside them.
"""

import os
import signal
import socket
import threading

TOLD_BY = {signal.SIGTERM, signal.SIGINT}


def watch(stopping: threading.Event) -> None:
    """Set the event at SIGTERM and SIGINT. Whoever had the descriptor before is told of every signal as before.

    Nothing outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    heard, told = socket.socketpair()
    told.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(heard, told, stopping, before), name="stopping", daemon=True).start()


def _listen(heard: socket.socket, _open: socket.socket, stopping: threading.Event, before: int) -> None:
    # Behind Ctrl-C, which reaches all processes of a terminal, comes SIGTERM from the one that looks after the others.
    while True:
        signals = heard.recv(64)
        if TOLD_BY.intersection(signals):
            stopping.set()
        if before != -1:
            os.write(before, signals)
