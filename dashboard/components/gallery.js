// Draws rows of pictures, each with an optional mask laid over it, and tells Python which row a person opens.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".gallery");
  root.style.setProperty("--mask-opacity", data.opacity);
  root.style.setProperty("--cell-width", data.cellWidth);
  followKeys(root, "button.row");
  if (root.dataset.version === data.version) return; // the same pictures, perhaps under another opacity
  root.dataset.version = data.version;

  const picture = (cell) => {
    const figure = document.createElement("figure");
    const frame = document.createElement("div");
    frame.className = "frame";
    frame.style.aspectRatio = data.aspect;
    for (const [kind, source] of [["photo", cell.photo], ["mask", cell.mask]]) {
      if (source === null) continue;
      const image = document.createElement("img");
      image.className = kind;
      image.src = data.pictures[source];
      image.alt = kind === "photo" || cell.photo === null ? cell.alt : "";
      frame.append(image);
    }
    if (cell.missing) {
      const note = document.createElement("span");
      note.className = "missing";
      note.textContent = cell.missing;
      frame.append(note);
    }
    const caption = document.createElement("figcaption");
    caption.textContent = cell.caption;
    figure.append(frame, caption);
    return figure;
  };

  const legend = ({ title, entries }) => {
    const line = document.createElement("div");
    line.className = "legend";
    const name = document.createElement("strong");
    name.textContent = title;
    line.append(name);
    for (const [label, color] of entries) {
      const entry = document.createElement("span");
      const swatch = document.createElement("i");
      swatch.style.background = color;
      entry.append(swatch, label);
      line.append(entry);
    }
    return line;
  };

  root.replaceChildren(
    ...data.rows.map((row) => {
      const entry = document.createElement(data.clickable ? "button" : "section");
      entry.className = data.framed ? "row framed" : "row";
      const title = document.createElement("span");
      title.className = "title";
      title.textContent = row.title;
      const cells = document.createElement("div");
      cells.className = "cells";
      cells.append(...row.cells.map(picture));
      entry.append(title, cells);
      if (data.clickable) entry.onclick = () => setTriggerValue("opened", row.id);
      return entry;
    }),
    ...data.legends.map(legend),
  );
}
