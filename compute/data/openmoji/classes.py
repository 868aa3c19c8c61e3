"""The ten classes of the street scenes, with their mask colors and label values."""

# The index in this list is the value in the label map. Every two colors lie more than 100 levels apart (Euclidean).
STREET_CLASSES: list[tuple[str, str]] = [
    ("road", "#3b4056"), ("pavement", "#e8c4a0"), ("building", "#9a5a3c"), ("pole", "#ffffff"), ("sign", "#ffe03d"),
    ("vegetation", "#4dbb5f"), ("sky", "#86cdfa"), ("person", "#e0287d"), ("vehicle", "#2748d4"),
    ("bicycle", "#ff7f1f"),
]  # fmt: skip
ROAD, PAVEMENT, BUILDING, POLE, SIGN, VEGETATION, SKY, PERSON, VEHICLE, BICYCLE = range(len(STREET_CLASSES))
