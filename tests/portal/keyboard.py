"""A person who has no mouse: everything by Tab, arrows, Space and Enter. Each stop on the way must be seen to have the focus."""

from playwright.sync_api import Locator

from tests.portal.audit import ask_page
from tests.portal.browser import Person

MOST_STOPS = 120
# What has the focus now: whether it is the wanted one, and what is wrong with how its focus shows.
STOP = """
(wanted) => {
  const element = document.activeElement;
  if (!element || element === document.body) return [false, ""];
  const style = getComputedStyle(element), box = element.getBoundingClientRect();
  const name = `<${element.tagName.toLowerCase()} ${element.name || element.textContent.trim().slice(0, 30)}>`;
  let fault = "";
  const unseen = style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2;
  const away = box.bottom < 0 || box.top > innerHeight || box.right < 0 || box.left > innerWidth;
  if (element.id !== "main" && unseen) fault = `${name} does not show its focus`;
  else if (away) fault = `${name} has the focus out of sight`;
  return [element === wanted, fault];
}
"""


class KeyboardPerson(Person):
    """Reaches every control by the keys and no other way."""

    def reach(self, control: Locator) -> None:
        wanted = control.element_handle()
        for _stop in range(MOST_STOPS):
            there, fault = ask_page(self.page, STOP, wanted)
            if fault:
                self.wrong.append(f"{self.kind()}: {fault}")
            if there:
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{control} cannot be reached by the Tab key on {self.path}")

    def act(self, control: Locator) -> None:
        self.reach(control)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def tick(self, control: Locator) -> None:
        if control.get_attribute("type") == "checkbox":
            self.reach(control)
            self.page.keyboard.press("Space")
        elif not control.is_checked():
            self._choose_radio(control)
        assert control.is_checked()

    def _choose_radio(self, control: Locator) -> None:
        """Tab stops once per group, at the chosen radio or the first; arrows choose within."""
        group = self.page.locator(f"input[name='{control.get_attribute('name')}']")
        chosen = next((one for one in group.all() if one.is_checked()), None)
        self.reach(chosen or group.first)
        self.page.keyboard.press("Space")
        for _option in range(group.count()):
            if control.is_checked():
                return
            self.page.keyboard.press("ArrowDown")

    def write(self, control: Locator, text: str) -> None:
        self.reach(control)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
