"""The long look at a page: once per kind of page and language in a whole test run, whichever worker comes first.

At 320 px and at twice the text size nothing is cut off, lies upon something else or reaches past the edge; axe finds nothing, in
Swedish in the light on a wide screen by all its rules, in English in the dark on a narrow one by those that this can change; who
asks for less motion gets none.
"""

import re
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, Page, Route

NARROW, WIDE = {"width": 320, "height": 640}, {"width": 1280, "height": 900}
LONGEST = 30_000  # milliseconds that a script of ours may take in a page
LAYOUT = (Path(__file__).parent / "layout.js").read_text()
RULES = {"resultTypes": ["violations"]}
# What the other language, the dark and a narrow screen can change of it; a whole run takes a second.
RULES_AGAIN = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "html-has-lang", "label", "link-name"]}
POLICY = "content-security-policy"
seen: list[Path] = []  # the folder in which the test run notes what was looked at: conftest.py


def is_first(kind: str) -> bool:
    """Whether nobody in this test run has taken the long look at this kind of page."""
    try:
        (seen[0] / kind.replace("/", "_")).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def ask_page(page: Page, function: str, argument: Any = None) -> Any:
    """What a JavaScript function answers in the page. `page.evaluate` would wait for ever for one that does not end."""
    waited = page.wait_for_function(f"async argument => [await ({function})(argument)]", arg=argument, timeout=LONGEST)
    return waited.json_value()[0]


def let_scripts_look(context: BrowserContext) -> None:
    """Take `sandbox`, and nothing else, out of the policy of the pages that show a package: in them no script of axe would end.

    That it is served is asserted where nothing is taken out (test_every_page.py).
    """

    def pass_on(route: Route) -> None:
        answer = route.fetch()
        rest = [part for part in answer.headers.get(POLICY, "").split(";") if not part.strip().startswith("sandbox")]
        route.fulfill(response=answer, headers=answer.headers | {POLICY: ";".join(rest)})

    context.route(re.compile(r"/package/(read|delete)/|/rightsrequest/\d+/preview/"), pass_on)


def faults(page: Page, *, language: str) -> list[str]:
    usual, found = page.viewport_size, []
    dark = language == "en"
    page.emulate_media(reduced_motion="reduce", color_scheme="dark" if dark else "light")
    ask_page(page, "() => document.querySelectorAll('details').forEach(details => { details.open = true })")
    for told, size, text in (("twice the text", WIDE, "200%"), ("320 px", NARROW, "")):
        page.set_viewport_size(size)
        ask_page(page, "size => { document.documentElement.style.fontSize = size }", text)
        found += [f"{told}: {fault}" for fault in ask_page(page, LAYOUT)]
    if not dark:
        page.set_viewport_size(WIDE)
    found += _axe(page, RULES_AGAIN if dark else RULES)
    page.set_viewport_size(usual)
    return found


def desk_faults(page: Page) -> list[str]:
    """What the desk's pages are held to: they fit a narrow screen, and axe finds nothing."""
    usual, found = page.viewport_size, []
    for width in (320, usual["width"]):
        page.set_viewport_size({"width": width, "height": usual["height"]})
        over = ask_page(page, "() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found += [f"{over} px wider than a screen of {width} px"] if over > 0 else []
    return found + _axe(page, RULES)


def _axe(page: Page, rules: dict[str, Any]) -> list[str]:
    look = f"async rules => {{ if (!window.axe) {{ {AXE_SCRIPT} }}; return (await axe.run(rules)).violations }}"
    return [
        f"{one['id']}: {one['help']}: " + "; ".join(node["html"][:160] for node in one["nodes"][:3])
        for one in ask_page(page, look, rules)
    ]
