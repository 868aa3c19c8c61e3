// Tells Python what a person types, each time with a number: an answer to what was sent before the last is late, and is let be.
const PAUSE_MS = 300;

export default function ({ data, parentElement, setTriggerValue }) {
  const field = parentElement.querySelector("input");
  const hint = parentElement.querySelector(".hint");
  parentElement.querySelector(".name").textContent = data.label;
  field.setAttribute("aria-label", data.label); // without the hint
  field.placeholder = data.placeholder;
  field.maxLength = data.most;

  field.number ??= data.takenOver;
  if (data.takenOver >= field.number && data.text !== field.sent) {
    field.value = field.sent = data.text;
    hint.hidden = true;
  }
  const send = () => {
    clearTimeout(field.pause);
    hint.hidden = true;
    if (field.value === field.sent) return;
    field.sent = field.value;
    field.number += 1;
    setTriggerValue("typed", { text: field.value, number: field.number });
  };
  field.oninput = () => {
    clearTimeout(field.pause);
    if (data.live) field.pause = setTimeout(send, PAUSE_MS);
    else hint.hidden = field.value === field.sent;
  };
  field.onchange = field.onsearch = send; // Enter, the field left, its cross
}
