// Tells the tree which synset is chosen, and by which way it opens, wherever the choice was made; tells Python what a person
// picks in the tree.
export default function ({ data, setTriggerValue }) {
  window.contrastSynsetWay = data.way;
  window.dispatchEvent(new CustomEvent("contrast-synset"));
  const picked = (event) => setTriggerValue("selected", event.detail);
  window.addEventListener("contrast-synset-picked", picked);
  return () => window.removeEventListener("contrast-synset-picked", picked);
}
