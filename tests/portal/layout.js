// What is wrong with how the page lies on the screen now: one sentence each. Read by audit.py.
() => {
  const faults = [];
  // For a screen reader alone: .vh, and a table's head where its rows are cards.
  const unseen = [...document.querySelectorAll("*")].filter((element) => getComputedStyle(element).clipPath === "inset(50%)");
  const shown = (element) => {
    return element.checkVisibility({ visibilityProperty: true }) && !element.closest(".skip") && !unseen.some((one) => one.contains(element));
  };
  const name = (element) => `<${element.tagName.toLowerCase()}${element.className ? "." + element.classList[0] : ""}> “${element.textContent.trim().slice(0, 40)}”`;
  const page = document.documentElement;
  const scrolled = (element) => { // inside something that the person scrolls sideways, like a wide table
    for (let above = element.parentElement; above; above = above.parentElement) {
      if (above !== page && above !== document.body && ["auto", "scroll"].includes(getComputedStyle(above).overflowX)) return true;
    }
    return false;
  };

  const over = page.scrollWidth - page.clientWidth;
  if (over > 0) faults.push(`${over} px wider than the screen`);

  const elements = [...document.body.querySelectorAll("*")].filter((element) => !element.closest("svg") && shown(element));
  for (const element of elements) {
    const box = element.getBoundingClientRect();
    if ((box.right > page.clientWidth + 1 || box.left < -1) && !scrolled(element)) faults.push(`${name(element)} reaches past the edge`);
    const style = getComputedStyle(element);
    const cuts = (overflow) => overflow === "hidden" || overflow === "clip";
    if (cuts(style.overflowX) && element.scrollWidth > element.clientWidth + 1) faults.push(`${name(element)} is cut off`);
    if (cuts(style.overflowY) && element.scrollHeight > element.clientHeight + 1) faults.push(`${name(element)} is cut off below`);
    if (element.matches("button, .button") && element.scrollWidth > element.clientWidth + 1) faults.push(`${name(element)} is too narrow`);
    const moves = (durations) => durations.split(",").some((one) => parseFloat(one) > 0.01);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      if (moves(style.transitionDuration) || (style.animationName !== "none" && moves(style.animationDuration))) faults.push(`${name(element)} moves though the person asked for less motion`);
      if (style.scrollBehavior === "smooth") faults.push(`${name(element)} scrolls smoothly though the person asked for less motion`);
    }
  }

  // Words upon words, and controls upon controls.
  const words = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.data.trim() || !shown(node.parentElement) || node.parentElement.closest("option, svg")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      const lead = box.height * 0.22; // letters do not fill their line
      words.push({ of: node.parentElement, left: box.left, right: box.right, top: box.top + lead, bottom: box.bottom - lead });
    }
  }
  const controls = [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")].filter(shown).map((of) => {
    const { left, right, top, bottom } = of.getBoundingClientRect();
    return { of, left, right, top, bottom };
  });
  const meet = (one, other) => Math.min(one.right, other.right) - Math.max(one.left, other.left) > 2 && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 2;
  for (const boxes of [words, controls]) {
    boxes.forEach((one, at) => {
      for (const other of boxes.slice(at + 1)) {
        if (one.of === other.of || one.of.contains(other.of) || other.of.contains(one.of)) continue;
        if (meet(one, other)) faults.push(`${name(one.of)} lies upon ${name(other.of)}`);
      }
    });
  }
  // WCAG 2.2, 2.5.8: 24 px, or so much room around it, or a link in a sentence. (axe's own rule does not end on some pages.)
  for (const one of controls) {
    if (one.right - one.left >= 24 && one.bottom - one.top >= 24) continue;
    const inSentence = getComputedStyle(one.of).display === "inline" && one.of.parentElement.textContent.trim().length > one.of.textContent.trim().length;
    const x = (one.left + one.right) / 2, y = (one.top + one.bottom) / 2;
    const crowded = controls.some((other) => other.of !== one.of && Math.hypot(x - Math.min(Math.max(x, other.left), other.right), y - Math.min(Math.max(y, other.top), other.bottom)) < 12);
    if (!inSentence && crowded) faults.push(`${name(one.of)} is too small to hit`);
  }
  return [...new Set(faults)].slice(0, 8);
}
