// Draws a matrix of true against answered branches and tells Python which cell or branch a person picks.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".matrix");
  if (root.dataset.version === data.version) return;
  root.dataset.version = data.version;
  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const table = element("table");
  table.style.setProperty("--side", data.color);
  const caption = element("caption", "", data.caption);
  const top = element("tr");
  top.append(element("th", "corner", "true ↓   answered →"));
  for (const name of data.columns) {
    const head = element("th", "column");
    head.scope = "col";
    const words = element("span", "", name);
    words.title = name;
    head.append(words);
    top.append(head);
  }
  const head = element("thead");
  head.append(top);
  const body = element("tbody");
  data.rows.forEach((row, rowIndex) => {
    const line = element("tr");
    const name = element("th");
    name.scope = "row";
    if (row.opens) {
      const inside = element("button", "link", row.name);
      inside.title = `Look inside ${row.name}`;
      inside.onclick = () => setTriggerValue("branch", rowIndex);
      name.append(inside);
    } else name.append(row.name);
    name.append(element("span", "total", row.total.toLocaleString("en")));
    line.append(name);
    row.cells.forEach((images, columnIndex) => {
      const place = element("td");
      if (images) {
        const share = images / row.total;
        const cell = element("button", rowIndex === columnIndex ? "cell diagonal" : "cell");
        const chosen = data.chosen[0] === rowIndex && data.chosen[1] === columnIndex;
        if (chosen) cell.classList.add("chosen");
        cell.setAttribute("aria-pressed", String(chosen));
        cell.style.setProperty("--share", `${Math.round(6 + 44 * share)}%`); // no stronger, so that numbers can be read on it
        cell.append(
          element("b", "", data.shares ? `${Math.round(100 * share)} %` : images.toLocaleString("en")),
        );
        const words = `${images} of ${row.total} pictures of ${row.name} answered as ${data.columns[columnIndex]}`;
        const inside = rowIndex === columnIndex && row.opens;
        cell.title = `${words} (${(100 * share).toFixed(1)} %)${inside ? "; opens this branch" : ""}`;
        cell.setAttribute("aria-label", cell.title);
        cell.onclick = () => (inside ? setTriggerValue("branch", rowIndex) : setTriggerValue("cell", [rowIndex, columnIndex]));
        place.append(cell);
      }
      line.append(place);
    });
    body.append(line);
  });
  table.append(caption, head, body);
  const frame = element("div", "frame");
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", data.caption);
  frame.append(table);

  const pairs = element("table", "pairs");
  if (data.pairs.length) {
    const titles = element("tr");
    for (const title of ["true class", "answered", "pictures", "in common"]) titles.append(element("th", "", title));
    const titleRow = element("thead");
    titleRow.append(titles);
    const list = element("tbody");
    data.pairs.forEach((pair, index) => {
      const line = element("tr");
      const cell = element("td");
      const open = element("button", "link", pair.truth);
      open.title = "Show these pictures";
      open.onclick = () => setTriggerValue("pair", index);
      cell.append(open);
      const common = element("td");
      if (pair.wnid) {
        const link = element("a", "", pair.common);
        link.href = `wordnet_synsets?synset=${encodeURIComponent(pair.wnid)}`;
        link.onclick = (event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          setTriggerValue("followed", pair.wnid);
        };
        common.append(link, element("span", "total", `depth ${pair.depth}`));
      }
      line.append(cell, element("td", "", pair.answer), element("td", "number", pair.images.toLocaleString("en")), common);
      list.append(line);
    });
    pairs.append(element("caption", "", data.pairsCaption), titleRow, list);
  }
  root.replaceChildren(frame, ...(data.pairs.length ? [pairs] : []));
}
