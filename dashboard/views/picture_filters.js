// Draws the way to a node of the tree and a bar of outcomes, and tells Python which of them a person picks.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".filters");
  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const parts = [];
  if (data.trail.length) {
    const trail = element("nav", "trail");
    trail.setAttribute("aria-label", "Branch of the tree");
    data.trail.forEach(({ wnid, name }, index) => {
      if (index) trail.append(element("span", "separator", "›"));
      const here = index === data.trail.length - 1;
      const step = element("button", here ? "step here" : "step", name);
      step.title = wnid;
      if (here) step.setAttribute("aria-current", "location");
      step.onclick = () => setTriggerValue("node", wnid);
      trail.append(step);
    });
    if (data.removable) {
      const remove = element("button", "step remove", "✕ all classes");
      remove.onclick = () => setTriggerValue("node", "");
      trail.append(remove);
    }
    parts.push(trail);
  }
  if (data.found.length) {
    const found = element("div", "found");
    found.setAttribute("role", "group");
    found.setAttribute("aria-label", "Found in the tree");
    for (const { wnid, name, note } of data.found) {
      const match = element("button", "match");
      match.append(element("strong", "", name), element("span", "", note));
      match.onclick = () => setTriggerValue("node", wnid);
      found.append(match);
    }
    parts.push(found);
  }
  if (data.outcomes.length) {
    const total = data.outcomes.reduce((sum, { images }) => sum + images, 0);
    const bar = element("div", "bar");
    bar.setAttribute("aria-hidden", "true");
    const choices = element("div", "choices");
    choices.setAttribute("role", "group");
    choices.setAttribute("aria-label", "Pictures by outcome");
    const choice = (key, label, images, color) => {
      const button = element("button", data.outcome === key ? "choice chosen" : "choice");
      button.setAttribute("aria-pressed", String(data.outcome === key));
      if (color) {
        const swatch = element("i");
        swatch.style.background = color;
        button.append(swatch);
      }
      button.append(label, element("span", "count", images.toLocaleString("en")));
      button.onclick = () => setTriggerValue("outcome", key);
      choices.append(button);
    };
    choice("", "all", total, "");
    for (const { key, label, images, color } of data.outcomes) {
      const part = element("div", data.outcome && data.outcome !== key ? "faded" : "");
      part.style.flexGrow = images;
      part.style.background = color;
      if (images) bar.append(part);
      choice(key, label, images, color);
    }
    parts.push(bar, choices);
  }
  root.replaceChildren(...parts);
}
