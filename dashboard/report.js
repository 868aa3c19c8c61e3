// Draws what a report carries as JSON: the dashboard's own components, charts and tables among them, in roots of their own.
const PICTURE_NAME = /picture-[0-9a-f]{20}/g;
// What a page answers to is not here: its ways in look like words.
const FROZEN_STYLE = `
  button, [data-open] { cursor: default; }
  [role="tree"], nav button, .save button, th button { cursor: pointer; }
  .swap { display: none; }
  button.link { color: inherit; text-decoration: none; }
  @media screen and (max-width: 700px) { .drawing { overflow-x: auto; min-height: 0; } .drawing svg { min-width: 640px; } }
  @media print {
    * { max-height: none !important; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
    header, h3, h4, h5, .title { break-after: avoid; }
    .row, article, figure, li, tr, .card, .tokenrow { break-inside: avoid; }
    .branches, .frame[tabindex] { overflow: visible !important; }
  }`;

function drawReport(kinds) {
  const report = JSON.parse(document.getElementById("report-data").textContent);
  const frozen = new CSSStyleSheet();
  frozen.replaceSync(FROZEN_STYLE);
  for (const kind of Object.values(kinds)) {
    kind.sheet = new CSSStyleSheet();
    kind.sheet.replaceSync(kind.css);
  }
  for (const place of document.querySelectorAll("[data-component]")) {
    const { kind, data } = report.components[place.dataset.component];
    try {
      mountComponent(place, kinds[kind], withPictures(data, report.pictures), frozen);
    } catch (error) {
      console.warn(error);
      place.replaceChildren("This part cannot be drawn in this browser.");
    }
  }
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
  if (window.innerWidth < 1100) document.querySelector("nav > details")?.removeAttribute("open");
}

function withPictures(value, pictures) {
  if (typeof value === "string") return value.replace(PICTURE_NAME, (name) => pictures[name] ?? name);
  if (Array.isArray(value)) return value.map((each) => withPictures(each, pictures));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withPictures(each, pictures)]));
}

function mountComponent(place, kind, data, frozen) {
  const root = place.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [kind.sheet, frozen];
  root.innerHTML = kind.html;
  if ("clickable" in data) data.clickable = false;
  if ("keys" in data) data.keys = [];
  const ignore = () => {};
  kind.mount({ data, parentElement: root, setTriggerValue: ignore, setStateValue: ignore });
  for (const way of root.querySelectorAll("[data-open]")) way.tabIndex = -1;
  for (const link of root.querySelectorAll("a[href]")) {
    const page = link.getAttribute("href").split("?")[0];
    if (/^https?:/.test(link.getAttribute("href"))) link.rel = "noopener noreferrer";
    else if (link.dataset.open && document.getElementById(page)?.matches("section.page")) {
      link.href = `#${page}`; // a page of the dashboard is a section here
      link.tabIndex = 0;
      delete link.dataset.open;
    } else {
      const words = document.createElement("span"); // a page of the dashboard is not here
      words.className = link.className;
      words.append(...link.childNodes);
      link.replaceWith(words);
    }
  }
}
