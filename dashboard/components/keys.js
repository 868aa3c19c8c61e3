// Moves the focus among what can be opened: arrow keys to what lies beside, Home and End to the first and the last one,
// PageUp and PageDown to another page. The component's own script follows below this.
function followKeys(root, selector) {
  const center = (element) => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    return [(left + right) / 2, top, bottom];
  };
  const below = (from, all, direction) => {
    const [x, top, bottom] = center(from);
    const distance = (other) => {
      const [otherX, otherTop, otherBottom] = center(other);
      const down = direction > 0 ? otherTop - bottom : top - otherBottom;
      return down < -1 ? Infinity : 1000 * down + Math.abs(otherX - x);
    };
    const nearest = all.reduce((best, other) => (distance(other) < distance(best) ? other : best), from);
    return distance(nearest) < Infinity ? nearest : from;
  };
  const turn = (name) => {
    let around = root.getRootNode().host ?? root;
    while (around && !around.querySelector(`[data-testid="${name}"]`)) around = around.parentElement;
    const button = around?.querySelector(`[data-testid="${name}"]`);
    if (!button || button.disabled) return false;
    const redrawn = new MutationObserver(() => {
      redrawn.disconnect();
      root.querySelector(selector)?.focus();
    });
    redrawn.observe(root, { childList: true });
    button.click();
    return true;
  };
  root.onkeydown = (event) => {
    const from = event.target.closest?.(selector);
    if (!from || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const all = [...root.querySelectorAll(selector)].filter((element) => element.getClientRects().length);
    const place = all.indexOf(from);
    const next = {
      ArrowRight: () => all[place + 1],
      ArrowLeft: () => all[place - 1],
      ArrowDown: () => below(from, all, 1),
      ArrowUp: () => below(from, all, -1),
      Home: () => all[0],
      End: () => all[all.length - 1],
    }[event.key];
    if (next) next()?.focus();
    else if (!["PageUp", "PageDown"].includes(event.key)) return;
    else if (!turn(event.key === "PageDown" ? "stPaginationNext" : "stPaginationPrev")) return;
    event.preventDefault();
  };
}

