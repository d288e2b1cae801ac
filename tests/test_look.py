"""What can be read off the stylesheet and the script themselves."""

import json
import re
from itertools import pairwise

import pytest

from app.newsletters.definitions import LANGUAGES
from tests.commands import ROOT

STYLE = (ROOT / "app/static/jawel.css").read_text(encoding="utf-8")
SCRIPT = (ROOT / "app/static/jawel.js").read_text(encoding="utf-8")
PAPERS = ("paper", "field")

TEXT = 4.5
"""Contrast that WCAG 2.2 asks of text (1.4.3, AA)."""
PARTS = 3.0
"""And of what shows where a control is (1.4.11)."""


def schemes() -> dict[str, dict[str, str]]:
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", rules))
        for rules in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]
    )
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    shares = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_measure_is_that_of_the_standard() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_colours_are_told_apart_by_those_who_see_little(scheme: str) -> None:
    colours = schemes()[scheme]
    on_paper = [(name, paper, TEXT) for name in ("ink", "muted", "accent", "alarm") for paper in PAPERS]
    on_button = [("on-accent", button, TEXT) for button in ("accent", "pressed")]
    edges = [("edge", paper, PARTS) for paper in PAPERS]
    for name, ground, least in (*on_paper, *on_button, *edges):
        assert contrast(colours[name], colours[ground]) >= least, f"{name} on {ground}, {scheme}"


def test_both_schemes_have_the_same_colours() -> None:
    light, dark = schemes().values()
    assert light.keys() == dark.keys()


def test_the_style_knows_no_left_and_no_right() -> None:
    assert (
        re.findall(r"[^-](?:left|right)\b|(?:margin|padding|border)-(?:top|bottom)|(?<!-)\b(?:width|height):", rules())
        == []
    )


def rules() -> str:
    """Without comments and media queries, which have no logical names."""
    return re.sub(r"/\*.*?\*/|@media.*?\{", "", STYLE, flags=re.DOTALL)


def test_the_style_asks_nothing_of_others() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_the_script_is_small_and_clean() -> None:
    assert len(SCRIPT.encode()) < 4_000
    for unclean in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "Function(", ".style", "document.write"):
        assert unclean not in SCRIPT
    for kept in ("cookie", "localStorage", "sessionStorage", "indexedDB"):
        assert kept not in SCRIPT


def test_the_script_says_the_same_in_every_language() -> None:
    written = re.search(r"const TEXTS = (\{.*?\n\});", SCRIPT, re.DOTALL)
    assert written
    texts = json.loads(re.sub(r",(\s*[\]}])", r"\1", re.sub(r"^(\s*)(\w+):", r'\1"\2":', written[1], flags=re.M)))
    assert sorted(texts) == sorted(LANGUAGES)
    for one, other in pairwise(texts.values()):
        assert len(one) == len(other) == 4
        assert not set(one) & set(other)
    assert all(each.strip() == each and each for language in texts.values() for each in language)
