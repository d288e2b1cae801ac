"""No box of ours is ticked before a person ticks it (GDPR recital 32; CJEU C-673/17, Planet49)."""

import re
from pathlib import Path

import pytest

from tests.commands import ROOT

TEMPLATES = sorted((ROOT / "app/templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "app/static").glob("*.js"))
SAID = re.compile(r'_\("[^"]*"|<!--.*?-->|\{#.*?#\}', re.DOTALL)
"""Texts and comments, which may speak of what was checked."""
TICKED = re.compile(r"checked", re.IGNORECASE)


def test_these_are_told_apart() -> None:
    for ticked in ("<input checked>", "{{ 'checked' if a > b }}", "box.defaultChecked = true", "<p aria-checked=true>"):
        assert TICKED.search(SAID.sub("", ticked))
    assert not TICKED.search(SAID.sub("", '{{ _("How this can be checked") }}{# checked #}'))


@pytest.mark.parametrize("path", [*TEMPLATES, *SCRIPTS], ids=lambda path: path.relative_to(ROOT / "app").as_posix())
def test_no_page_and_no_script_ticks_a_box(path: Path) -> None:
    assert not TICKED.search(SAID.sub("", path.read_text(encoding="utf-8")))


def test_no_form_in_the_manual_has_a_ticked_box() -> None:
    for path in (ROOT / "docs").glob("*.md"):
        assert not re.search(r"<input\b[^>]*\bchecked\b", path.read_text(encoding="utf-8")), path.name
