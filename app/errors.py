"""The base class of every error that Jawel raises on purpose; the others live beside their concept."""


class JawelError(Exception):
    """Something a caller can act on. The text is for operators and never holds personal data."""
