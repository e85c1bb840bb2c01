"""The company's look: its colours and logo are settings, and a look that nobody can read does not start."""

import io
import re
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from PIL import Image

from requests_app.portal import colours
from requests_app.portal.brand import read_logo

pytestmark = pytest.mark.django_db
CSS = (Path(__file__).resolve().parents[2] / "static" / "portal" / "portal.css").read_text()
BLUE = {"INSYN_BRAND_COLOR": "#0b2f6b", "INSYN_BRAND_LINK": "#1746a2", "INSYN_BRAND_LINK_DARK": "#a9c6ff"}


@pytest.fixture
def blue(settings):
    for name, value in BLUE.items():
        setattr(settings, name, value)


@pytest.fixture
def logo_file(tmp_path, settings):
    """Writes a logo and sets it; answers its path."""

    def write(content: bytes) -> Path:
        path = tmp_path / f"logo-{abs(hash(content))}"
        path.write_bytes(content)
        settings.INSYN_BRAND_LOGO = str(path)
        return path

    return write


def svg(inside: str = "", attributes: str = "") -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" {attributes}><path d="M0 0h9v9z"/>{inside}</svg>'.encode()


def png() -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (80, 40), "#0b2f6b").save(kept, "PNG")
    return kept.getvalue()


def told() -> list[str]:
    return [found.msg for found in run_checks() if found.id in ("insyn.E003", "insyn.E004")]


def tokens(dark: bool) -> dict[str, str]:
    """The custom properties of portal.css that are colours."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    found = dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", blocks[0]))
    return found | dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", blocks[1])) if dark else found


def test_a_page_of_insyn_s_own_look_loads_no_second_stylesheet(english):
    assert "/brand/" not in english.get("/").content.decode()


def test_the_company_s_colours_come_in_a_stylesheet_that_browsers_keep(english, blue):
    page = english.get("/").content.decode()
    address = re.search(r'rel="stylesheet" href="(/brand/[^"]+)"', page)[1]
    response = english.get(address)
    assert response["Content-Type"].startswith("text/css")
    assert "immutable" in response["Cache-Control"]
    assert "Cookie" not in response.get("Vary", "")
    assert "--brand:#0b2f6b;" in response.content.decode()
    assert '<meta name="theme-color" content="#0b2f6b">' in page


def test_new_colours_have_a_new_address(english, settings, blue):
    before = re.search(r"/brand/\w+/theme.css", english.get("/").content.decode())[0]
    settings.INSYN_BRAND_LINK = "#174600"
    assert before not in english.get("/").content.decode()


def test_colours_that_can_be_read_pass(blue):
    assert told() == []


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("INSYN_BRAND_INK", "#3a5a90", "4.5:1"),
        ("INSYN_BRAND_COLOR", "#ffdd00", "INSYN_BRAND_INK (#f5f1e6) has a contrast of"),
        ("INSYN_BRAND_ACCENT", "#0b3f7b", "3:1"),
        ("INSYN_BRAND_LINK", "#ff9900", "--wash"),
        ("INSYN_BRAND_LINK_DARK", "#1746a2", "the dark page"),
    ],
)
def test_a_colour_with_too_little_contrast_is_named_with_what_it_stands_on(blue, settings, name, value, why):
    setattr(settings, name, value)
    found = told()
    assert any(name in line and why in line for line in found), found
    with pytest.raises(SystemCheckError, match=name):
        call_command("check")


def test_contrast_is_measured_as_wcag_does():
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_checks_know_the_stylesheet_s_own_colours(settings):
    light, dark = tokens(dark=False), tokens(dark=True)
    for known, sheet in ((colours.LIGHT, light), (colours.DARK, dark)):
        assert {name: sheet[name] for name in known} == known
    assert (
        *(light[name] for name in ("--brand", "--brand-ink", "--accent", "--link")),
        dark["--link"],
    ) == settings.INSYN_BRAND_DEFAULTS
    assert told() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_words_of_the_stylesheet_can_be_read(dark):
    found = tokens(dark)
    words = ["--ink", "--soft", "--link", "--bad", "--wait", "--ok", "--info", "--grave"]
    pairs = [(word, ground) for word in words for ground in ("--paper", "--surface", "--wash")]
    pairs += [(f"--{tone}", f"--{tone}-wash") for tone in ("ok", "wait", "bad", "info")]
    pairs += [("--ink", f"--{tone}-wash") for tone in ("ok", "wait", "bad", "info")]
    pairs += [("--button-ink", "--button"), ("--button-ink", "--button-over"), ("--grave-ink", "--grave")]
    pairs += [("--brand-ink", "--brand"), ("--brand-soft", "--brand"), ("--grave-ink", "--grave-over")]
    faint = {pair: round(colours.contrast(found[pair[0]], found[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in faint.items() if ratio < 4.5} == {}
    shapes = {("--edge", ground) for ground in ("--paper", "--surface")} | {("--ring", "--paper"), ("--accent", "--brand")}
    assert {pair for pair in shapes if colours.contrast(found[pair[0]], found[pair[1]]) < 3} == set()


@pytest.mark.parametrize(("content", "kind"), [(svg(), "image/svg+xml"), (png(), "image/png")], ids=["svg", "png"])
def test_the_logo_stands_on_every_page_as_a_picture(english, logo_file, content, kind):
    logo_file(content)
    assert told() == []
    address = re.search(r'<img class="brand__logo" src="(/brand/[^"]+)"', english.get("/").content.decode())[1]
    response = english.get(address)
    assert (response["Content-Type"], response.content) == (kind, content)
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (svg("<script>alert(1)</script>"), "<script>"),
        (svg(attributes='onload="alert(1)"'), "onload"),
        (svg('<image href="https://elsewhere.example/x.png"/>'), "href"),
        (svg("<foreignObject/>"), "foreignObject"),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]>' + svg(), "entities"),
        (b"<html/>", "neither PNG, JPEG nor SVG"),
        (b"GIF89a", "neither PNG, JPEG nor well-formed SVG"),
        (svg("x" * 20_000), "at most 20000"),
    ],
)
def test_a_logo_that_may_act_or_is_no_picture_is_refused_and_not_shown(english, logo_file, content, why):
    logo_file(content)
    (line,) = told()
    assert line.startswith("INSYN_BRAND_LOGO")
    assert why in line
    assert "brand__logo" not in english.get("/").content.decode()
    assert english.get("/brand/0/logo").status_code == 404


def test_a_logo_that_is_not_there_is_named(settings, tmp_path):
    settings.INSYN_BRAND_LOGO = str(tmp_path / "gone.svg")
    assert "gone.svg cannot be read" in told()[0]
    read_logo.cache_clear()


def test_no_other_file_comes_out_of_the_brand_s_address(english):
    for name in ("logo", "settings.py", "..%2f..%2fmanage.py"):
        assert english.get(f"/brand/0/{name}").status_code == 404
