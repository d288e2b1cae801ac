"""What people see and change of themselves, behind a link with one of two strengths (`visits`)."""

from app.web.pages.preferences import asking, centre, data, erasing
from app.web.pages.preferences.visits import blueprint

__all__ = ["asking", "blueprint", "centre", "data", "erasing"]
