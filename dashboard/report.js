// Draws what a report carries as JSON: the dashboard's own components in roots of their own, and charts with Vega-Embed.
const PICTURE_NAME = /picture-[0-9a-f]{20}/g;
const FONT = '"Source Sans 3", "Source Sans Pro", system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
// Custom properties, so that one drawing serves light, dark and paper.
const TEXT = "var(--st-text-color)";
const FAINT = "var(--faint)";
const LINE = "var(--st-border-color)";
const CHART_LOOK = {
  background: null,
  font: FONT,
  axis: {
    labelColor: FAINT, titleColor: FAINT, gridColor: LINE, domainColor: LINE, tickColor: LINE,
    labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400, titlePadding: 12, labelPadding: 6,
  },
  legend: { labelColor: TEXT, titleColor: FAINT, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400, symbolSize: 120 },
  title: { color: TEXT, fontSize: 13, fontWeight: 600 },
  header: { labelColor: TEXT, titleColor: FAINT },
  text: { color: TEXT },
  view: { stroke: null },
};
// What a page answers to is not here: its ways in look like words.
const FROZEN_STYLE = `
  button, [data-open] { cursor: default; }
  [role="tree"], nav button { cursor: pointer; }
  .swap { display: none; }
  button.link { color: inherit; text-decoration: none; }
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
  window.reportDrawn = drawCharts(report.charts);
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
  const ignore = () => {};
  kind.mount({ data, parentElement: root, setTriggerValue: ignore, setStateValue: ignore });
  for (const way of root.querySelectorAll("[data-open]")) way.tabIndex = -1;
  for (const link of root.querySelectorAll("a[href]")) {
    if (/^https?:/.test(link.getAttribute("href"))) link.rel = "noopener noreferrer";
    else {
      const words = document.createElement("span"); // a page of the dashboard is not here
      words.className = link.className;
      words.append(...link.childNodes);
      link.replaceWith(words);
    }
  }
}

async function drawCharts(charts) {
  for (const place of document.querySelectorAll("[data-chart]")) {
    const chart = charts[place.dataset.chart];
    try {
      const options = { ast: true, actions: false, renderer: "svg", logLevel: 1, config: CHART_LOOK, tooltip: { theme: "custom" } };
      const { view } = await vegaEmbed(place, { ...chart.spec, description: chart.words }, options);
      addExports(place.parentElement, view, chart);
    } catch (error) {
      console.warn(error);
      place.replaceChildren("This chart cannot be drawn in this browser.");
    }
    await new Promise((resolve) => setTimeout(resolve)); // a person may scroll meanwhile
  }
}

function addExports(figure, view, chart) {
  const line = document.createElement("figcaption");
  for (const [name, make] of [["PNG", asPng], ["SVG", asSvg], ["CSV", asCsv]]) {
    const button = document.createElement("button");
    button.textContent = name;
    button.setAttribute("aria-label", `Save as ${name}: ${chart.words}`);
    button.onclick = async () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await make(view, chart));
      link.download = `${chart.name}.${name.toLowerCase()}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    };
    line.append(button);
  }
  figure.append(line);
}

async function asSvg(view) {
  const style = getComputedStyle(document.documentElement);
  const drawn = await view.toSVG();
  const resolved = drawn.replace(/var\((--[a-z-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
  return new Blob([resolved], { type: "image/svg+xml" });
}

async function asPng(view) {
  const picture = new Image();
  picture.src = URL.createObjectURL(await asSvg(view));
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * picture.width;
  canvas.height = 2 * picture.height;
  const drawing = canvas.getContext("2d");
  drawing.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--st-background-color");
  drawing.fillRect(0, 0, canvas.width, canvas.height);
  drawing.drawImage(picture, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(picture.src);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

async function asCsv(_, chart) {
  const rows = Object.values(chart.spec.datasets).reduce((most, each) => (each.length > most.length ? each : most), []);
  const columns = Object.keys(rows[0] ?? {});
  const cell = (value) => {
    const text = String(value ?? "");
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text; // or a spreadsheet would run it
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))];
  return new Blob([lines.map((line) => `${line.map(cell).join(",")}\n`).join("")], { type: "text/csv" });
}
