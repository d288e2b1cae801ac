"""The two ways in which a check of `jawel doctor` can end badly."""

from app.errors import JawelError


class CheckFailed(JawelError):
    """A failed check: the fault and its remedy."""


class CheckWarning(JawelError):
    """A warning: a part that works but is not as it should be, and the remedy."""
