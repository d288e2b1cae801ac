"""Tells requests that wait, such as those for events, that the server is shutting down.

A server sets its own signal handlers after the application is loaded. The file descriptor to which Python writes at
each signal (`signal.set_wakeup_fd`) works beside them.
"""

import os
import signal
import socket
import threading

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def watch(stopping: threading.Event) -> None:
    """Set the event at SIGTERM and SIGINT. A descriptor that was set before still gets every signal.

    Does nothing outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    heard, told = socket.socketpair()
    told.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(heard, told, stopping, before), name="stopping", daemon=True).start()


def _listen(heard: socket.socket, _open: socket.socket, stopping: threading.Event, before: int) -> None:
    # After Ctrl-C, which reaches all processes of a terminal, the supervising process also sends SIGTERM.
    while True:
        signals = heard.recv(64)
        if STOP_SIGNALS.intersection(signals):
            stopping.set()
        if before != -1:
            os.write(before, signals)
