"""Cells that a spreadsheet only shows. Code that writes CSV passes each cell through `inert`."""

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001 - some take those of full width for the same
_BEFORE_ONE = ("\t", "\r", "\n")
_OURS = "'"


def inert(cell: str) -> str:
    """Spreadsheets run a cell that begins like a formula (CWE-1236); an apostrophe in front makes it text.

    A cell that begins with an apostrophe gets another, so that programs know which to remove: the first, and no more.
    """
    return f"{_OURS}{cell}" if cell.startswith((*_FORMULA, *_BEFORE_ONE, _OURS)) else cell
