"""Cells that a spreadsheet only shows. Whatever writes CSV writes each cell by `inert`."""

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001 - some take those of full width for the same
_BEFORE_ONE = ("\t", "\r", "\n")
_OURS = "'"


def inert(cell: str) -> str:
    """Spreadsheets run a cell that begins like a formula (CWE-1236); an apostrophe in front makes it text.

    As a cell may begin with an apostrophe of its own, that gets another, so that programs know which to take away: the
    first, and no more.
    """
    return f"{_OURS}{cell}" if cell.startswith((*_FORMULA, *_BEFORE_ONE, _OURS)) else cell
