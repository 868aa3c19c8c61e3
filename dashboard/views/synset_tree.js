// Draws a tree whose nodes come as lists of one length, each branch when it is first opened. Which node is chosen comes from
// synset_tree_choice.js, which also hears which one a person picks. A node with two parents is drawn below both; an occurrence
// is known by its path of node numbers.
const DEEPEST = 40; // a circle in foreign data must end somewhere

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".tree");
  if (root.dataset.version !== data.version) draw(root, data);
  root.dataset.version = data.version;
  const follow = () => choose(root, window.contrastSynsetWay ?? []);
  follow();
  window.addEventListener("contrast-synset", follow);
  return () => window.removeEventListener("contrast-synset", follow);
}

function draw(root, data) {
  const first = !root.opened;
  root.opened ??= new Set(); // paths; they stay when the figures change
  const head = element("div", "head");
  const only = element("label", "only");
  const box = Object.assign(document.createElement("input"), { type: "checkbox" });
  box.checked = root.classList.contains("pictured");
  box.onchange = () => root.classList.toggle("pictured", box.checked);
  only.append(box, "only what has pictures");
  const legend = element("span", "legend");
  for (const model of data.models) {
    const swatch = element("i");
    swatch.style.background = model.color;
    const entry = element("span");
    entry.append(swatch, model.name);
    legend.append(entry);
  }
  if (data.shares.length) head.append(legend, only);
  const list = element("ul", "branches");
  list.setAttribute("role", "tree");
  list.setAttribute("aria-label", "WordNet's synsets above ImageNet's classes");
  root.build = (number, path, level) => item(root, data, number, path, level, first);
  if (data.root >= 0) list.append(root.build(data.root, String(data.root), 1));
  list.onkeydown = (event) => key(root, event);
  list.onclick = (event) => click(root, event);
  root.replaceChildren(head, list, element("p", "note", data.note));
  const start = list.querySelector('[role="treeitem"]');
  if (start) start.tabIndex = 0;
}

function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}

function item(root, data, number, path, level, first) {
  const node = element("li");
  const children = data.children[number];
  const shares = data.shares.map((column) => column[number]);
  const count = data.counts[number];
  Object.assign(node.dataset, { wnid: data.wnids[number], path, level });
  if (data.shares.length && !data.pictures[number]) node.classList.add("empty");
  if (data.classes[number]) node.classList.add("leaf");
  node.setAttribute("role", "treeitem");
  node.setAttribute("aria-level", level);
  node.setAttribute("aria-selected", "false");
  node.tabIndex = -1;
  const spoken = data.classes[number] ? "an ImageNet class" : `${count} classes`;
  const figures = shares.map((share, model) => (share < 0 ? "" : `, ${data.models[model].name} ${percent(share)}`));
  node.setAttribute("aria-label", `${data.names[number]}, ${spoken}${figures.join("")}`);
  const row = element("div", "row");
  row.title = `${data.names[number]}, ${data.wnids[number]}`; // a narrow tree cuts long names
  const name = element("span", "name", data.names[number]);
  row.append(element("span", children.length ? "caret" : "caret none"), name, element("span", "count", data.classes[number] ? "" : count));
  if (data.shares.length) row.append(bars(data, shares));
  node.append(row);
  node.nodes = children;
  if (children.length) {
    node.setAttribute("aria-expanded", "false");
    if (level < DEEPEST && (root.opened.has(path) || (first && data.opened.includes(number)))) expand(root, node);
  }
  return node;
}

function percent(share) {
  return `${Math.round(share / 10)} %`;
}

function bars(data, shares) {
  const box = element("span", "bars");
  shares.forEach((share, model) => {
    const bar = element("i");
    const filled = element("b");
    filled.style.width = `${Math.max(0, share) / 10}%`;
    filled.style.background = data.models[model].color;
    bar.append(filled);
    box.append(bar, element("span", "figure", share < 0 ? "–" : String(Math.round(share / 10))));
  });
  return box;
}

function expand(root, node, chain = false) {
  if (!node.nodes.length) return;
  let group = node.querySelector(":scope > ul");
  if (!group) {
    group = element("ul", node.nodes.length === 1 ? "single" : "");
    group.setAttribute("role", "group");
    const level = Number(node.dataset.level) + 1;
    group.append(...node.nodes.map((number) => root.build(number, `${node.dataset.path}/${number}`, level)));
    node.append(group);
  }
  group.hidden = false;
  node.setAttribute("aria-expanded", "true");
  root.opened.add(node.dataset.path);
  if (chain && node.nodes.length === 1 && Number(node.dataset.level) < DEEPEST) expand(root, group.firstChild, true);
}

function collapse(root, node) {
  const group = node.querySelector(":scope > ul");
  if (group) group.hidden = true;
  node.setAttribute("aria-expanded", "false");
  root.opened.delete(node.dataset.path);
}

function toggle(root, node) {
  if (node.getAttribute("aria-expanded") === "true") collapse(root, node);
  else expand(root, node, true);
}

function mark(root, node) {
  for (const other of root.querySelectorAll('[role="treeitem"]')) {
    other.setAttribute("aria-selected", String(other === node));
    other.classList.toggle("twin", other !== node && other.dataset.wnid === node.dataset.wnid);
  }
}

function pick(root, node) {
  focus(root, node);
  mark(root, node);
  root.dataset.chosen = node.dataset.wnid;
  window.dispatchEvent(new CustomEvent("contrast-synset-picked", { detail: node.dataset.wnid }));
}

function choose(root, way) {
  const wnid = way[way.length - 1];
  if (!wnid || (root.dataset.chosen === wnid && root.querySelector('[aria-selected="true"]'))) return;
  root.dataset.chosen = wnid;
  const shown = [...root.querySelectorAll('[role="treeitem"]')].filter((node) => node.dataset.wnid === wnid && node.offsetParent);
  let node = shown[0] ?? root.querySelector('[role="treeitem"]');
  if (!shown.length) {
    for (const next of way.slice(1)) {
      expand(root, node);
      const below = [...(node.querySelector(":scope > ul")?.children ?? [])].find((child) => child.dataset.wnid === next);
      if (!below) break;
      node = below;
    }
  }
  if (!node) return;
  mark(root, node);
  for (const other of root.querySelectorAll('[tabindex="0"][role="treeitem"]')) other.tabIndex = -1;
  node.tabIndex = 0;
  if (way.length > 1) root.classList.add("whole"); // what stands above the node has its height only when it is drawn
  const list = root.querySelector(".branches");
  const row = node.firstChild.getBoundingClientRect();
  const box = list.getBoundingClientRect();
  if (row.top < box.top || row.bottom > box.bottom) list.scrollTop += row.top - box.top - box.height / 3;
}

function focus(root, node) {
  for (const other of root.querySelectorAll('[tabindex="0"][role="treeitem"]')) other.tabIndex = -1;
  node.tabIndex = 0;
  node.focus({ preventScroll: true });
  node.firstChild.scrollIntoView({ block: "nearest" });
}

function click(root, event) {
  const node = event.target.closest('[role="treeitem"]');
  if (!node) return;
  if (event.target.classList.contains("caret") && node.nodes.length) {
    focus(root, node);
    toggle(root, node);
  } else if (event.target.closest(".row")) pick(root, node);
}

function key(root, event) {
  const node = event.target.closest('[role="treeitem"]');
  if (!node || event.altKey || event.ctrlKey || event.metaKey) return;
  const all = [...root.querySelectorAll('[role="treeitem"]')].filter((each) => each.offsetParent);
  const place = all.indexOf(node);
  const open = node.getAttribute("aria-expanded");
  const go = (other) => other && focus(root, other);
  if (event.key === "ArrowDown") go(all[place + 1]);
  else if (event.key === "ArrowUp") go(all[place - 1]);
  else if (event.key === "Home") go(all[0]);
  else if (event.key === "End") go(all[all.length - 1]);
  else if (event.key === "ArrowRight") open === "false" ? expand(root, node, true) : open && go(all[place + 1]);
  else if (event.key === "ArrowLeft") open === "true" ? collapse(root, node) : go(node.parentElement.closest('[role="treeitem"]'));
  else if (event.key === "Enter" || event.key === " ") pick(root, node);
  else if (event.key.length === 1) {
    const named = (each) => each.querySelector(".name").textContent.toLowerCase().startsWith(event.key.toLowerCase());
    go([...all.slice(place + 1), ...all.slice(0, place)].find(named));
  } else return;
  event.preventDefault();
  event.stopPropagation();
}
