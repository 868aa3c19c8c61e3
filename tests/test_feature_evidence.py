"""Evidence from image features: hand-made unit vectors, whose cosines can be read off."""

import math

import numpy as np
import pandas
import pytest

from compute.feature_evidence import PROBES, class_similarity, image_evidence

TENCH, HEN, JAY = "n01440764", "n01514859", "n01580077"
EAST, NORTH, NORTHEAST, WEST = (1, 0), (0, 1), (math.sqrt(0.5), math.sqrt(0.5)), (-1, 0)


def images(*rows: tuple[str | None, str | None, str | None]) -> pandas.DataFrame:
    """Rows of image from (wnid, style, form)."""
    table = pandas.DataFrame(rows, columns=["wnid", "style", "form"], dtype=object)
    # As after a filter: what is counted are positions, not these labels.
    return table.assign(image_id=[f"i{number}" for number in range(len(rows))]).set_index(
        pandas.Index(range(10, 10 + len(rows)))
    )


def test_the_probe_is_the_nearest_prompt_with_its_softmax_share() -> None:
    probes = np.array([EAST, NORTH, WEST], np.float32)
    features = np.array([EAST, NORTHEAST, WEST, (0.6, 0.8)], np.float32)
    scale = math.log(2)
    rows = image_evidence("r", images(*[(None, None, None)] * 4), features, probes, scale)
    assert rows.probe.tolist() == [PROBES[0], PROBES[0], PROBES[2], PROBES[1]]
    # Two to the power of the cosines: 2, 1 and 1/2 of 3.5 in all for the first; of equal cosines the earlier prompt is taken.
    assert rows.probe_probability[0] == pytest.approx(2 / 3.5)
    diagonal = 2 ** math.sqrt(0.5)
    assert rows.probe_probability[1] == pytest.approx(diagonal / (2 * diagonal + 1 / diagonal))
    assert rows.probe_probability[2] == pytest.approx(2 / 3.5)
    assert rows.probe_probability[3] == pytest.approx(2**0.8 / (2**0.6 + 2**0.8 + 2**-0.6))
    assert rows[["run_id", "image_id"]].values.tolist() == [["r", f"i{number}"] for number in range(4)]
    assert rows.class_similarity.isna().all()


def test_similarity_to_the_class_is_the_mean_over_its_other_pictures() -> None:
    table = images((TENCH, None, None), (HEN, None, None), (TENCH, None, None), (TENCH, None, None), (None, None, None))
    features = np.array([EAST, EAST, NORTH, NORTHEAST, EAST], np.float32)
    rows = image_evidence("r", table, features, np.array([EAST, NORTH, WEST], np.float32), 1.0)
    half = math.sqrt(0.5)
    assert rows.class_similarity.tolist() == pytest.approx([half / 2, math.nan, half / 2, half, math.nan], nan_ok=True)


def similarities(table: pandas.DataFrame, *features: tuple[float, float]) -> dict[tuple[str, str], tuple[int, float]]:
    rows = class_similarity("r", table, np.array(features, np.float32))
    assert set(rows.run_id) == {"r"}
    return {(row.wnid, row.kind): (row.pairs, pytest.approx(row.similarity, abs=1e-6)) for row in rows.itertuples()}


def test_pairs_of_a_class_by_what_differs() -> None:
    table = images(
        (TENCH, "color on plain", "drawn"),  # 0
        (TENCH, "color on plain", "drawn"),  # 1: as 0
        (TENCH, "color on plain", "photo"),  # 2: another form than 0 and 1
        (TENCH, "sketch", "drawn"),  # 3: another rendition of 0 and 1
        (TENCH, "rotated", "drawn"),  # 4: 0 and 1 turned
    )
    half = math.sqrt(0.5)
    found = similarities(table, EAST, NORTH, WEST, NORTHEAST, EAST)
    assert found == {
        # 0-1: 0, 0-2: -1, 0-3: half, 0-4: 1, 1-2: 0, 1-3: half, 1-4: 0, 2-3: -half, 2-4: -1, 3-4: half
        (TENCH, "any"): (10, (0 - 1 + half + 1 + 0 + half + 0 - half - 1 + half) / 10),
        (TENCH, "same"): (1, 0),
        (TENCH, "form"): (2, -0.5),
        (TENCH, "rendition"): (2, half),
        (TENCH, "rotation"): (2, 0.5),
    }


def test_without_styles_only_any_pair_is_told() -> None:
    table = images((TENCH, None, None), (TENCH, "sketch", None))
    assert similarities(table, EAST, WEST) == {(TENCH, "any"): (1, -1)}


def test_the_nearest_class_is_that_of_the_largest_mean_cosine() -> None:
    table = images((TENCH, None, None), (HEN, None, None), (JAY, None, None), (JAY, None, None), (None, None, None))
    rows = class_similarity("r", table, np.array([EAST, WEST, NORTH, NORTHEAST, EAST], np.float32))
    nearest = rows[rows.kind == "nearest class"].set_index("wnid")
    half = math.sqrt(0.5)
    assert nearest.other_wnid.to_dict() == {TENCH: JAY, HEN: JAY, JAY: TENCH}
    assert nearest.pairs.to_dict() == {TENCH: 2, HEN: 2, JAY: 2}
    assert nearest.similarity.to_dict() == pytest.approx({TENCH: half / 2, HEN: -half / 2, JAY: half / 2})
    [own] = rows[rows.kind == "any"].itertuples()
    assert (own.wnid, pandas.isna(own.other_wnid), own.pairs, own.similarity) == (JAY, True, 1, pytest.approx(half))


def test_pictures_without_labels_give_no_rows() -> None:
    rows = class_similarity("r", images((None, None, None)), np.array([EAST], np.float32))
    assert (len(rows), set(rows.columns)) == (0, {"run_id", "wnid", "kind", "other_wnid", "pairs", "similarity"})
