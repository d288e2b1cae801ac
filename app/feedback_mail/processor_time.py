"""Limits the processor time of a block: the last line of defence, behind limits on its input."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

READING_SECONDS = 1.0
"""For one mail: a usual one takes two thousandths of it, the costliest known less than a tenth."""
AGAIN_SECONDS = 0.1


class Exceeded(BaseException):
    """Not an Exception, because the interrupted code may swallow those."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises Exceeded if the block takes longer, and again until it ends. In the main thread only.

    The timer starts here, ends with the block, and no child inherits it. RLIMIT_CPU counts whole seconds since the
    process began: a slow start of Python may use them up before the block begins.
    """
    before = signal.signal(signal.SIGPROF, _exceeded)
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _exceeded(_signal: int, _frame: FrameType | None) -> None:
    raise Exceeded
