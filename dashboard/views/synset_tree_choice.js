// Tells the tree which synset is chosen, and by which way it opens, wherever the choice was made.
export default function ({ data }) {
  window.contrastSynsetWay = data.way;
  window.dispatchEvent(new CustomEvent("contrast-synset"));
}
