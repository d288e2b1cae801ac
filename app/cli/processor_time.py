"""A bound on the processor time of a block: the last line, behind limits on what the block is given."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_SECONDS = 0.1


class Exceeded(BaseException):
    """No Exception, for what is interrupted may pass over those."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises Exceeded where the block takes longer, and again until it ends. In the main thread only.

    It counts from here on, ends with the block, and no child inherits it. RLIMIT_CPU counts whole seconds since the
    process began: where Python is slow to start, they are spent before there is anything to bound.
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
