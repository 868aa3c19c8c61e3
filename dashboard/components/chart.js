// Shows a chart that is drawn already, tells of the mark at the pointer, saves it, and asks for another width where it must.
const SCALED_AT_MOST = 1.12; // so that its text stays near 12 px
const PNG_SCALE = 2;

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".chart");
  if (root.shown !== data.svg) {
    root.shown = data.svg;
    const drawing = root.querySelector(".drawing");
    drawing.innerHTML = data.svg;
    const svg = drawing.firstElementChild;
    drawing.style.setProperty("--height", `${svg.getAttribute("height")}px`);
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", `Chart: ${data.name.replaceAll("_", " ")}`);
    tell(root, data.titles, data.series);
  }
  root.data = data;
  if (!root.querySelector("button")) offerFiles(root);

  root.resized ??= new ResizeObserver(() => {
    const width = root.clientWidth;
    const scale = width / root.data.width;
    if (!width || (scale < SCALED_AT_MOST && scale > 1 / SCALED_AT_MOST)) return;
    clearTimeout(root.waiting);
    root.waiting = setTimeout(() => setStateValue("width", Math.round(width)), 100);
  });
  root.resized.observe(root);
  return () => root.resized.disconnect();
}

function tell(root, titles, series) {
  const drawing = root.querySelector(".drawing");
  const told = root.querySelector(".told");
  const known = new Set(titles);
  drawing.onpointermove = (event) => {
    const mark = event.target.closest(".role-mark [aria-label]");
    told.hidden = !mark;
    if (told.mark !== mark) {
      told.mark = mark;
      if (mark) told.replaceChildren(...lines(mark.getAttribute("aria-label"), known));
      if (series) standOut(drawing, mark && valueOf(mark, series), series);
    }
    if (!mark) return;
    const box = root.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const left = x + 14 + told.offsetWidth > box.width ? x - 14 - told.offsetWidth : x + 14;
    told.style.transform = `translate(${Math.max(0, left)}px, ${Math.max(0, y - told.offsetHeight - 8)}px)`;
  };
  drawing.onpointerleave = () => {
    told.hidden = true;
    told.mark = null;
    if (series) standOut(drawing, null, series);
  };
}

const valueOf = (mark, title) => (`; ${mark.getAttribute("aria-label")}; `.split(`; ${title}: `)[1] ?? "").split("; ")[0];

function standOut(drawing, value, series) {
  for (const mark of drawing.querySelectorAll(".role-mark [aria-label]")) {
    mark.classList.toggle("faint", Boolean(value) && valueOf(mark, series) !== value);
  }
}

// A mark's label is "title: value; title: value"; of the titles those that the chart means to tell are shown.
function lines(label, known) {
  return label.split("; ").flatMap((part) => {
    const [title, ...value] = part.split(": ");
    if (!known.has(title)) return [];
    const line = document.createElement("div");
    const name = document.createElement("span");
    const figure = document.createElement("b");
    name.textContent = title;
    figure.textContent = value.join(": ");
    line.append(name, figure);
    return line;
  });
}

function offerFiles(root) {
  for (const [kind, make] of [["CSV", asCsv], ["SVG", asSvg], ["PNG", asPng]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = kind;
    button.setAttribute("aria-label", `Save as ${kind}: ${root.data.name.replaceAll("_", " ")}`);
    button.onclick = async () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await make(root.data));
      link.download = `${root.data.name}.${kind.toLowerCase()}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    };
    root.querySelector(".save").append(button);
  }
}

const asCsv = ({ csv }) => new Blob([csv], { type: "text/csv" });

// On white, in the colors of the light theme.
const asSvg = ({ svg }) => new Blob([svg.replace("<svg ", '<svg style="background:#fff" ')], { type: "image/svg+xml" });

async function asPng(data) {
  const picture = new Image();
  picture.src = URL.createObjectURL(asSvg(data));
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = PNG_SCALE * picture.width;
  canvas.height = PNG_SCALE * picture.height;
  const drawing = canvas.getContext("2d");
  drawing.fillStyle = "#fff";
  drawing.fillRect(0, 0, canvas.width, canvas.height);
  drawing.drawImage(picture, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(picture.src);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
