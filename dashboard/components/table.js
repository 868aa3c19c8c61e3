// Draws a table column by column, sorts it where a person asks, and tells Python which row is picked.
const SHORT = 28; // characters that stay on one line

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".table");
  const { picked, ...contents } = data;
  const version = JSON.stringify(contents);
  if (root.version !== version) {
    root.version = version;
    draw(root, data);
  }
  root.pick = (key) => setTriggerValue("picked", key);
  for (const row of root.rows) {
    row.classList.toggle("picked", row.key !== undefined && row.key === picked);
    row.querySelector("td button")?.setAttribute("aria-pressed", row.key === picked);
  }
}

function draw(root, { name, columns, swatches, keys, more }) {
  const table = document.createElement("table");
  const body = document.createElement("tbody");
  root.rows = (columns[0]?.texts ?? []).map((_, place) => rowOf(root, columns, place, swatches[place], keys[place]));
  body.append(...root.rows);
  const head = document.createElement("tr");
  head.append(...columns.map((column) => headOf(column, head, root.rows, body)));
  table.append(document.createElement("thead"), body);
  table.tHead.append(head);

  const frame = document.createElement("div");
  frame.className = "frame";
  frame.tabIndex = 0; // so that the arrow keys scroll it
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", `Table: ${name}`);
  frame.append(table);
  const note = document.createElement("p");
  note.textContent = more;
  root.replaceChildren(frame, ...(more ? [note] : []));
}

function rowOf(root, columns, place, swatch, key) {
  const row = document.createElement("tr");
  for (const [number, { texts, right }] of columns.entries()) {
    const cell = document.createElement("td");
    cell.className = right ? "number" : texts[place].length <= SHORT ? "short" : /\S{24}/.test(texts[place]) ? "long" : "";
    if (number === 0 && swatch) cell.append(Object.assign(document.createElement("i"), { style: `background:${swatch}` }));
    if (number === 0 && key !== undefined) {
      cell.append(Object.assign(document.createElement("button"), { type: "button", textContent: texts[place] }));
      row.key = key;
      row.className = "way";
      row.onclick = () => root.pick(key);
    } else cell.append(texts[place]);
    row.append(cell);
  }
  return row;
}

// Up, down, and then as it was.
function headOf({ title, texts, order, right }, head, rows, body) {
  const cell = document.createElement("th");
  cell.scope = "col";
  if (right) cell.className = "number";
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: title });
  const compare = (a, b) => {
    if (!order) return texts[a].localeCompare(texts[b], undefined, { numeric: true });
    return order[a] === null || order[b] === null ? (order[a] === null) - (order[b] === null) : order[a] - order[b];
  };
  button.onclick = () => {
    const next = { ascending: "descending", descending: "" }[cell.getAttribute("aria-sort")] ?? "ascending";
    for (const other of head.children) other.removeAttribute("aria-sort");
    const places = rows.map((_, place) => place);
    if (next) {
      cell.setAttribute("aria-sort", next);
      places.sort((a, b) => (next === "ascending" ? compare(a, b) : compare(b, a)));
    }
    body.append(...places.map((place) => rows[place]));
  };
  cell.append(button);
  return cell;
}
