"""A person at a browser: a real Chromium that minds every page it sees."""

import os
import re
from pathlib import Path
from typing import ClassVar

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.mailbox import last_code

# A picture of every page, for people to look at: INSYN_SHOTS=/tmp/shots pytest tests/portal/test_browser_walk.py
SHOTS = os.environ.get("INSYN_SHOTS")
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Person:
    """Moves through pages by what they say. Whatever a page does wrong on the way is kept in `wrong`."""

    looked_at: ClassVar[set[tuple[str, bool, str]]] = set()  # the long look takes a second: once per kind, language and scripts

    def __init__(self, page: Page, url: str, *, language: str, scripts: bool):
        self.page, self.url, self.language, self.scripts = page, url, language, scripts
        self.wrong: list[str] = []
        page.on("console", lambda message: self._mind(message.type, message.text))
        page.on("pageerror", lambda error: self.wrong.append(f"script error: {error}"))
        page.on("response", lambda response: self._mind_response(response))

    def _mind(self, kind: str, text: str) -> None:
        if SHOTS and "inline style" in text:
            return  # Playwright's own, while it takes a picture
        if "Content Security Policy" in text or (kind == "error" and "Failed to load resource" not in text):
            self.wrong.append(f"console: {text}")

    def _mind_response(self, response) -> None:
        if response.status >= 500 or (response.status == 404 and "/static/" in response.url):
            self.wrong.append(f"{response.status} {response.url}")

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)
        self.look()

    def press(self, text: str) -> None:
        """Press the button or follow the link that says this, inside the page's own content."""
        found = self.page.get_by_role("button", name=text, exact=True).or_(self.page.get_by_role("link", name=text, exact=True))
        found.first.click()
        self.page.wait_for_load_state()
        self.look()

    def choose(self, *values: str) -> None:
        for value in values:
            self.page.locator(f"input[value='{value}']").check()

    def fill(self, name: str, text: str) -> None:
        self.page.locator(f"[name='{name}']").fill(text)

    def send(self) -> None:
        """Press the page's main button."""
        self.page.locator("main form[method=post] button.button").first.click()
        self.page.wait_for_load_state()
        self.look()

    def enter_code(self, to: str) -> None:
        self.fill("code", last_code(to))
        self.send()

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.url)

    @property
    def heading(self) -> str:
        return self.page.locator("h1").first.inner_text()

    def look(self, name: str = "") -> None:
        """Mind the page: language, one main heading, nothing wider than the screen; by axe, once per kind of page."""
        kind = name or re.sub(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){2}", "REF", self.path.partition("?")[0])
        if self.page.locator(".problems").count():
            kind += "#problem"
        if self.page.locator("html").get_attribute("lang") != self.language:
            self.wrong.append(f"{kind}: not in {self.language}")
        if self.page.locator("h1").count() != 1:
            self.wrong.append(f"{kind}: {self.page.locator('h1').count()} main headings")
        if (self.language, self.scripts, kind) in self.looked_at:
            return
        self.looked_at.add((self.language, self.scripts, kind))
        self._picture(kind)
        if self.scripts:
            self._mind_width(kind)
            for violation in Axe().run(self.page).response["violations"]:
                places = "; ".join(node["html"][:160] for node in violation["nodes"][:3])
                self.wrong.append(f"{kind}: {violation['id']}: {violation['help']}: {places}")

    def _mind_width(self, kind: str) -> None:
        usual = self.page.viewport_size
        for width in (320, usual["width"]):
            self.page.set_viewport_size({"width": width, "height": usual["height"]})
            over = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if over > 0:
                self.wrong.append(f"{kind}: {over} px wider than a screen of {width} px")

    def _picture(self, kind: str) -> None:
        if not SHOTS or not self.scripts:
            return
        usual = self.page.viewport_size
        name = kind.strip("/").replace("/", "_") or "start"
        for scheme in ("light", "dark"):
            for size, label in ((DESKTOP, "desktop"), (PHONE, "phone")):
                self.page.emulate_media(color_scheme=scheme)
                self.page.set_viewport_size(size)
                Path(SHOTS).mkdir(parents=True, exist_ok=True)
                self.page.screenshot(path=f"{SHOTS}/{name}.{self.language}.{scheme}.{label}.png", full_page=True)
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size(usual)
