// Draws cards: a picture, both models' surest answers as bars, what is known besides. Tells Python what a person opens or swaps.
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".answers");
  if (root.dataset.version === data.version) return; // the same cards: what a person scrolled to stays there
  root.dataset.version = data.version;
  followKeys(root, "button.picture");
  root.className = `answers ${data.size}`;

  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const synsetLink = (text, wnid) => {
    const link = element("a", "", text);
    link.href = `wordnet_synsets?synset=${encodeURIComponent(wnid)}`;
    link.onclick = (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return; // a new tab is the browser's business
      event.preventDefault();
      setTriggerValue("followed", wnid);
    };
    return link;
  };

  const bar = (answer) => {
    const line = element("li", answer.label ? "bar label" : "bar");
    const fill = element("i");
    fill.style.width = `${100 * answer.probability}%`;
    const name = element("span", "name", `${answer.label ? "✓ " : ""}${answer.name}`);
    name.title = answer.label ? `${answer.name}, the true class` : answer.name;
    line.append(fill, name, element("span", "probability", answer.text));
    return line;
  };

  const model = (answers, side) => {
    const column = element("div", `model side-${side}`);
    column.append(element("div", "who", data.names[side]));
    const list = element("ol");
    list.append(...answers.bars.map(bar));
    column.append(list, element("div", answers.right ? "verdict right" : "verdict", answers.verdict));
    return column;
  };

  const facts = (entries) => {
    const list = element("dl");
    for (const { term, text, link } of entries) {
      const description = element("dd", "", text);
      if (link) description.append(synsetLink(link.text, link.wnid));
      const fact = element("div");
      fact.append(element("dt", "", term), description);
      list.append(fact);
    }
    return list;
  };

  const picture = (card) => {
    const frame = element(data.clickable ? "button" : "div", "picture");
    if (card.photo === null) frame.append(element("span", "missing", "picture missing"));
    else {
      const image = element("img");
      image.src = data.pictures[card.photo];
      image.alt = card.alt;
      frame.append(image);
    }
    if (data.clickable) {
      frame.setAttribute("aria-label", `Open ${card.alt}`);
      frame.onclick = () => setTriggerValue("opened", card.id);
    }
    return frame;
  };

  const drawCard = (card) => {
    if (card.absent) return element("p", "absent", card.absent);
    const article = element("article", card.side === null ? "card" : `card side-${card.side}`);
    const about = element("div", "about");
    if (card.badge) about.append(element("div", "badge", card.badge));
    about.append(element("div", "title", card.title));
    if (card.reason) about.append(element("blockquote", "", card.reason));
    const models = element("div", "models");
    models.append(...card.models.map(model));
    article.append(picture(card), about, models);
    if (card.facts.length) article.append(facts(card.facts));
    if (card.credit) article.append(element("div", "credit", card.credit));
    return article;
  };

  const drawSection = (section) => {
    const part = element("section");
    if (section.title) {
      const head = element("header");
      const title = element("h4");
      title.append(section.wnid ? synsetLink(section.title, section.wnid) : section.title);
      head.append(title, element("span", "note", section.note));
      if (section.swap) {
        const swap = element("button", "swap", "⇄ another class");
        swap.title = `Show the next class from far away instead of ${section.title}`;
        swap.onclick = () => setTriggerValue("swapped", section.wnid);
        head.append(swap);
      }
      part.append(head);
    }
    const cards = element("div", "cards");
    cards.append(...section.cards.map(drawCard));
    part.append(cards);
    return part;
  };

  const sections = data.sections.map(drawSection);
  const jumps = element("nav");
  if (data.size === "full" && sections.length > 1) {
    jumps.setAttribute("aria-label", "Classes on this page");
    data.sections.forEach((section, index) => {
      const jump = element("button", "", section.title);
      jump.onclick = () => {
        sections[index].scrollIntoView({ behavior: "smooth", block: "start" });
        sections[index].querySelector("a, button")?.focus({ preventScroll: true });
      };
      jumps.append(jump);
    });
  }
  root.replaceChildren(jumps, ...sections);
}
