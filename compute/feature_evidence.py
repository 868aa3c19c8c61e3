"""What CLIP's image features say about why a picture is easy or hard: its rendering, and how like its own class it is."""

from collections.abc import Iterator

import numpy as np
import pandas

PROBES = ("a photo", "a sketch", "a rendering")


def image_evidence(
    run_id: str, image: pandas.DataFrame, features: np.ndarray, probe_features: np.ndarray, scale: float
) -> pandas.DataFrame:
    """Rows of image_evidence for the pictures `image`, whose unit features are (N, D).

    `probe_features` (P, D) are those of PROBES; `scale` is CLIP's learned one.
    """
    logits = scale * features @ probe_features.T
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    best = probabilities.argmax(axis=1)
    similarity = np.full(len(features), np.nan)
    for _, members in _classes(image):
        if len(members) > 1:  # the mean over the others, from the sum over all, which holds the picture itself with 1
            own = features[members].astype(np.float64)
            similarity[members] = (own @ own.sum(axis=0) - (own * own).sum(axis=1)) / (len(members) - 1)
    return pandas.DataFrame(
        {
            "run_id": run_id,
            "image_id": image.image_id.to_numpy(),
            "probe": [PROBES[number] for number in best],
            "probe_probability": probabilities[np.arange(len(best)), best],
            "class_similarity": similarity,
        }
    )


def class_similarity(run_id: str, image: pandas.DataFrame, features: np.ndarray) -> pandas.DataFrame:
    """Rows of class_similarity: mean cosine of a class's pairs of pictures by what differs, and to the nearest other class."""
    classes = list(_classes(image))
    rows = [
        {
            "wnid": wnid,
            "kind": kind,
            "other_wnid": None,
            "pairs": int(chosen.sum()),
            "similarity": float(cosines[chosen].mean()),
        }
        for wnid, members in classes
        for cosines in [features[members] @ features[members].T]
        for kind, chosen in _pairs(image.iloc[members])
        if chosen.any()
    ]
    means = np.stack([features[members].mean(axis=0) for _, members in classes]) if classes else np.empty((0, 0))
    between = means @ means.T
    np.fill_diagonal(between, -np.inf)
    if len(classes) > 1:
        for (wnid, members), nearest, cosines in zip(classes, between.argmax(axis=1), between, strict=True):
            other_wnid, others = classes[nearest]
            pairs = len(members) * len(others)
            rows.append(
                {
                    "wnid": wnid,
                    "kind": "nearest class",
                    "other_wnid": other_wnid,
                    "pairs": pairs,
                    "similarity": float(cosines[nearest]),
                }
            )
    columns = ["wnid", "kind", "other_wnid", "pairs", "similarity"]
    return pandas.DataFrame(rows, columns=columns).assign(run_id=run_id)


def _classes(image: pandas.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Each class with the positions of its pictures."""
    groups = image.reset_index(drop=True).groupby("wnid").groups
    for wnid, members in groups.items():
        yield str(wnid), members.to_numpy()


def _pairs(image: pandas.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """For each kind of difference, which pairs of one class's pictures differ in it and in nothing else that is known: (n, n).

    Each pair counts once. Kinds but 'any' need the pictures' styles.
    """
    once = np.triu(np.ones((len(image), len(image)), bool), k=1)
    yield "any", once
    if image["style"].isna().any():
        return
    style, form = image["style"].to_numpy(), image["form"].fillna("").to_numpy()
    same_style, same_form = style[:, None] == style[None, :], form[:, None] == form[None, :]
    turned = (style == "rotated")[:, None] | (style == "rotated")[None, :]
    plain = np.isin(style, ("rotated", "color on plain"))
    yield "same", once & same_style & same_form
    yield "form", once & same_style & ~same_form
    yield "rendition", once & ~same_style & same_form & ~turned
    yield "rotation", once & ~same_style & same_form & turned & (plain[:, None] & plain[None, :])
