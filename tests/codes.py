"""Codes of letters, right or wrong, and the attempt of the page that they are typed on."""

ATTEMPT = "an-attempt-of-22-chars"


def another(code: str, by: int = 1) -> str:
    return f"{(int(code) + by) % 1_000_000:06}"
