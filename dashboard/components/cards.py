"""Cards beside each other, all of one row equally high: what was found, with pictures, and ways on from each."""

from dashboard.components import markup

show = markup.component("contrast_cards", "cards.css")
