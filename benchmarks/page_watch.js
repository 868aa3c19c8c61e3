// Runs inside the page, so that no round trip to it is measured: `opened()` gives the time since navigation began,
// `changed(element)` that from a click on it.
(() => {
  const MAIN = '[data-testid="stMain"]', STATE = "data-test-script-state";
  const followed = new WeakSet();
  let last = 0, begun = false;
  const follow = (root) => {
    if (followed.has(root)) return;
    followed.add(root);
    observer.observe(root, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: [STATE] });
  };
  const hosts = () => [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')];
  const observer = new MutationObserver((changes) => {
    for (const { target, type } of changes) {
      const root = target.getRootNode();
      const place = root.host ?? (target.nodeType === 1 ? target : target.parentElement);
      if (type === "attributes" || place?.closest(MAIN)) {
        last = Infinity; // until it is on the screen
        begun = true;
      }
    }
    for (const { shadowRoot } of hosts()) if (shadowRoot) follow(shadowRoot);
    if (last === Infinity) requestAnimationFrame(() => setTimeout(() => (last = performance.now())));
  });
  follow(document);

  const drawn = () => {
    const main = document.querySelector(MAIN);
    if (!main?.querySelector('[data-testid="stMarkdown"]')) return false;
    if (main.querySelector('[data-stale="true"], [data-testid="stSkeleton"]')) return false;
    if (hosts().some(({ shadowRoot }) => !shadowRoot)) return false;
    const roots = [main, ...hosts().map(({ shadowRoot }) => shadowRoot)];
    const all = (selector) => roots.flatMap((root) => [...root.querySelectorAll(selector)]);
    return all("img").every(({ complete }) => complete) && all(".chart").every((chart) => chart.querySelector("svg.marks"));
  };
  const settled = (start, mustBegin) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const now = performance.now();
        if (!drawn()) last = now;
        const finished = document.querySelector(`[${STATE}="notRunning"]`) && (begun || !mustBegin);
        if (finished && now - last > QUIET_MS) resolve(last - start);
        else if (now - start > TIMEOUT_MS) reject(new Error(`${location.pathname}: drawn ${drawn()}, begun ${begun}`));
        else requestAnimationFrame(look);
      };
      look();
    });
  window.opened = () => settled(0, false);
  window.changed = (element) => {
    begun = false;
    const start = performance.now();
    element.click();
    return settled(start, true);
  };
})();
