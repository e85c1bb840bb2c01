"""A person at a browser: a real Chromium that minds every page it sees."""

import os
import re
from pathlib import Path

from playwright.sync_api import Locator, Page

from tests.mailbox import last_code
from tests.portal import audit

# A picture of every page, for people to look at: INSYN_SHOTS=/tmp/shots pytest tests/portal/test_every_page.py
SHOTS = os.environ.get("INSYN_SHOTS")
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}


class Person:
    """Moves through pages by what they say. Whatever a page does wrong on the way is kept in `wrong`."""

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

    # --- what a person does; somebody without a mouse does the four below in another way (keyboard.py) ---

    def reach(self, control: Locator) -> None:
        control.scroll_into_view_if_needed()

    def act(self, control: Locator) -> None:
        """Follow a link or press a button, and wait for the page that comes."""
        with self.page.expect_navigation():
            control.click()

    def tick(self, control: Locator) -> None:
        control.check()

    def write(self, control: Locator, text: str) -> None:
        control.fill(text)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)
        self.look()

    def follow(self, control: Locator) -> None:
        self.act(control)
        self.look()

    def press(self, text: str) -> None:
        """Press the button or follow the link that says this."""
        found = self.page.get_by_role("button", name=text, exact=True).or_(self.page.get_by_role("link", name=text, exact=True))
        self.follow(found.first)

    def choose(self, *values: str) -> None:
        for value in values:
            self.tick(self.page.locator(f"input[value='{value}']"))

    def fill(self, name: str, text: str) -> None:
        self.write(self.page.locator(f"[name='{name}']"), text)

    def send(self) -> None:
        """Press the page's main button."""
        self.follow(self.page.locator("main form[method=post] button.button").first)

    def send_wrong(self) -> None:
        """Press it, and be told what is wrong where the focus is."""
        self.send()
        if self.page.locator(".problems").count() != 1:
            self.wrong.append(f"{self.kind()}: nothing says what is wrong")
        elif self.page.locator(":focus").get_attribute("class") != "problems":
            self.wrong.append(f"{self.kind()}: the focus is not on what is wrong")

    def enter_code(self, to: str) -> None:
        self.fill("code", last_code(to))
        self.send()

    # --- what a person sees ---

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.url)

    @property
    def heading(self) -> str:
        return self.page.locator("h1").first.inner_text()

    def kind(self, name: str = "") -> str:
        kind = name or re.sub(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){2}", "REF", self.path.partition("?")[0])
        return kind + "#problem" if self.page.locator(".problems").count() else kind

    def look(self, name: str = "") -> None:
        """Mind the page: language, one main heading; and once per kind of page everything else (audit.py)."""
        kind = self.kind(name)
        if self.page.locator("html").get_attribute("lang") != self.language:
            self.wrong.append(f"{kind}: not in {self.language}")
        if self.page.locator("h1").count() != 1:
            self.wrong.append(f"{kind}: {self.page.locator('h1').count()} main headings")
        if self.scripts and audit.is_first(f"{self.language} {kind}"):  # axe needs scripts
            if SHOTS:
                self._picture(kind)
            else:
                self.wrong += [f"{kind}: {fault}" for fault in self.faults()]

    def faults(self) -> list[str]:
        return audit.faults(self.page, language=self.language)

    def _picture(self, kind: str) -> None:
        usual = self.page.viewport_size
        name = kind.strip("/").replace("/", "_") or "start"
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        for scheme in ("light", "dark"):
            for size, label in ((DESKTOP, "desktop"), (PHONE, "phone")):
                self.page.emulate_media(color_scheme=scheme)
                self.page.set_viewport_size(size)
                self.page.screenshot(path=f"{SHOTS}/{name}.{self.language}.{scheme}.{label}.png", full_page=True)
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size(usual)
