// Copies a link to the page as it is now, keeps the browser's history in steps, and leaves a page in peace once it is left.
export default function ({ data, parentElement, setTriggerValue }) {
  keepSteps(data.steps);
  leaveInPeace();
  const root = parentElement.querySelector(".copy");
  const button = root.querySelector("button");
  const label = button.querySelector("span");
  const field = root.querySelector("input");
  const link = `${location.origin}${location.pathname}?${data.query}`;

  const say = (text) => {
    label.textContent = root.querySelector(".said").textContent = text;
    clearTimeout(root.timer);
    root.timer = setTimeout(() => {
      label.textContent = "Copy link";
      root.querySelector(".said").textContent = "";
    }, 2500);
  };
  const offer = () => {
    field.hidden = false; // a selection needs it to be seen
    field.value = link;
    field.focus();
    field.select();
    let copied = false;
    try {
      copied = document.execCommand("copy"); // all there is where the page came without https
    } catch {
      copied = false;
    }
    field.hidden = copied;
    say(copied ? "Copied" : "Copy from here:");
  };
  const copy = () => {
    field.hidden = true;
    const written = navigator.clipboard ? navigator.clipboard.writeText(link) : Promise.reject(new Error("refused"));
    written.then(() => say("Copied"), offer);
  };

  label.textContent ||= "Copy link";
  if (root.waiting && data.answer !== root.answer) {
    root.waiting = false;
    copy();
  }
  root.answer = data.answer;
  button.onclick = () => {
    root.waiting = true;
    setTriggerValue("asked", Date.now());
  };
}

// The link to another page that an event is on, if it is on one.
function wayElsewhere(event) {
  const way = event.composedPath().find((node) => node.tagName === "A" && node.href);
  return way && new URL(way.href).pathname !== location.pathname ? way : undefined;
}

// What is clicked in a page after the way to another one, before that arrives, would ask for a part of a page that is there no
// more: Streamlit then shows neither, until it is loaded anew.
function leaveInPeace() {
  if (window.contrastPeace) return;
  window.contrastPeace = true;
  const main = () => document.querySelector('[data-testid="stMain"]');
  let at = location.pathname;
  let leaving = null;

  const arrive = () => {
    at = location.pathname;
    clearTimeout(leaving.timer);
    leaving.watcher.disconnect();
    leaving = null;
  };
  const leave = () => {
    if (leaving || !main()) return;
    leaving = { watcher: new MutationObserver(arrive), timer: setTimeout(arrive, 10_000) };
    leaving.watcher.observe(main(), { childList: true, subtree: true });
  };
  window.addEventListener("popstate", () => location.pathname !== at && leave());
  const acted = (event) => {
    if (!leaving) at = location.pathname;
    if (leaving && event.composedPath().includes(main())) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else if (event.type === "click" && !(event.button || event.metaKey || event.ctrlKey || event.shiftKey)) {
      const way = wayElsewhere(event);
      if (way && !way.target) leave();
    }
  };
  for (const type of ["pointerdown", "mousedown", "click", "keydown"]) window.addEventListener(type, acted, true);
}

// Streamlit replaces the entry where a widget changes, so that one cannot go back to another tab, and adds one for everything
// that Python writes, so that one must go back many times. Here one thing that a person does makes at most one entry: for
// another page, or for a change of one of the parameters `names`. The rest changes the entry that is there.
function keepSteps(names) {
  const known = window.contrastSteps;
  window.contrastSteps = new Set(names);
  if (known) return;
  const push = history.pushState.bind(history);
  const replace = history.replaceState.bind(history);
  let fresh = false; // whether a person did something that no entry speaks of yet
  let stepped = true; // whether that made an entry
  let leaving = false; // whether it was a click on a link to another page

  const acted = (event) => {
    leaving = Boolean(wayElsewhere(event));
    fresh = true;
    stepped = false;
  };
  window.addEventListener("pointerdown", acted, true);
  window.addEventListener("keydown", acted, true);
  window.addEventListener("popstate", () => {
    fresh = leaving = false;
    stepped = true;
  });

  const write = (state, title, address) => {
    const next = new URL(address ?? location.href, location.href);
    const [now, then] = [new URLSearchParams(location.search), next.searchParams];
    const changed = [...new Set([...now.keys(), ...then.keys()])].filter(
      (name) => now.getAll(name).join("\n") !== then.getAll(name).join("\n"),
    );
    const leaves = next.pathname !== location.pathname;
    if (!leaves && !changed.length) return replace(state, title, address);
    const isStep = leaves || leaving || changed.some((name) => window.contrastSteps.has(name));
    const adds = isStep && !stepped && (fresh || leaves);
    fresh = false;
    stepped ||= adds;
    return adds ? push(state, title, address) : replace(state, title, address);
  };
  history.pushState = history.replaceState = write;
}
