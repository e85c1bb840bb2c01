// Fetches the page anew every few seconds and takes over what changed. Without it a refresh of the whole page does the same.
"use strict";
(() => {
  const renew = async () => {
    if (document.hidden) return;
    let fresh;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (!answer.ok) return;
      fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
      return; // the demo was stopped, or is being started again
    }
    const take = (id, changed) => {
      const [here, there] = [document.getElementById(id), fresh.getElementById(id)];
      if (here && there && changed(here, there)) here.replaceWith(document.adoptNode(there));
    };
    // An opened message stays open until a new one comes.
    take("demo-messages", (here, there) => here.dataset.newest !== there.dataset.newest);
    take("demo-codes", () => true);
  };
  setInterval(renew, 2000);
  document.addEventListener("visibilitychange", renew);
})();
