"""From a classifier's outputs to rows: the narrow one that pages read, the whole output, and counts by class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas
import pyarrow

from compute.data import imagenet, wordnet

CHUNK_PICTURES = 4096
TOP = 5


@dataclass(frozen=True, eq=False)
class Summary:
    """The answers of a classifier to N pictures, in its own positions.

    label_rank is -1, and what follows it NaN, where a picture's label is none of the classifier's classes.
    top (N, up to 5) int64, the most probable first; top_probability as float64; label_rank (N,) int64, counted from 1;
    label_probability and margin (N,) float64.
    """

    top: np.ndarray
    top_probability: np.ndarray
    label_rank: np.ndarray
    label_probability: np.ndarray
    margin: np.ndarray


def summarise(logits: np.ndarray, labels: np.ndarray) -> Summary:
    """Answers from outputs (N, K) float32 or float16 and the labels' positions (N,), -1 where there is none.

    Of equal outputs the one in the earlier position ranks first, in the five best and in the label's rank alike.
    """
    parts = [
        _summarise_chunk(logits[start : start + CHUNK_PICTURES], labels[start : start + CHUNK_PICTURES])
        for start in range(0, len(logits), CHUNK_PICTURES)
    ]
    return Summary(*(np.concatenate([getattr(part, name) for part in parts]) for name in Summary.__dataclass_fields__))


def _summarise_chunk(logits: np.ndarray, labels: np.ndarray) -> Summary:
    rows = np.arange(len(logits))
    logits = logits.astype(np.float32, copy=False)  # of half precision, every value is one of single precision, too
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    top = _best(logits, min(TOP, logits.shape[1]))
    known = labels >= 0
    position = np.where(known, labels, 0)
    label_logit = logits[rows, position][:, None]
    before = np.arange(logits.shape[1])[None, :] < position[:, None]
    rank = 1 + (logits > label_logit).sum(axis=1) + ((logits == label_logit) & before).sum(axis=1)
    label_probability = probabilities[rows, position]
    others = probabilities.copy()
    others[rows, position] = -np.inf
    largest_other = others.max(axis=1) if logits.shape[1] > 1 else np.zeros(len(logits))
    return Summary(
        top=top,
        top_probability=np.take_along_axis(probabilities, top, axis=1),
        label_rank=np.where(known, rank, -1),
        label_probability=np.where(known, label_probability, np.nan),
        margin=np.where(known, label_probability - largest_other, np.nan),
    )


def _best(logits: np.ndarray, count: int) -> np.ndarray:
    """Positions of the `count` largest of each row, of equal ones the earlier first: (N, count)."""
    least = np.partition(logits, -count, axis=1)[:, -count]
    candidates = logits >= least[:, None]
    best = np.empty((len(logits), count), np.int64)
    exact = candidates.sum(axis=1) == count
    best[exact] = np.nonzero(candidates[exact])[1].reshape(-1, count)  # in the order of their positions
    order = np.argsort(-np.take_along_axis(logits[exact], best[exact], axis=1), axis=1, kind="stable")
    best[exact] = np.take_along_axis(best[exact], order, axis=1)
    best[~exact] = np.argsort(-logits[~exact], axis=1, kind="stable")[:, :count]
    return best


def prediction_tables(
    run_id: str, image: pandas.DataFrame, wnids: Sequence[str], logits: np.ndarray
) -> dict[str, pandas.DataFrame | pyarrow.Table]:
    """Rows of prediction, class_score, logit and classifier_output for outputs (N, len(wnids)) of the pictures `image`.

    `image` holds rows of that table, in the outputs' order. Outputs are kept exactly: float16 as their bits, others as float32.
    """
    position = {wnid: number for number, wnid in enumerate(wnids)}
    labels = np.array([position.get(wnid, -1) for wnid in image.wnid], np.int64)
    summary = summarise(logits, labels)
    prediction = _prediction_table(run_id, image, wnids, summary)
    return {
        "prediction": prediction,
        "class_score": _class_scores(run_id, image, summary.label_rank),
        "logit": _logit_table(run_id, image.image_id, logits),
        "classifier_output": pandas.DataFrame({"run_id": run_id, "position": range(len(wnids)), "wnid": list(wnids)}),
    }


def _prediction_table(run_id: str, image: pandas.DataFrame, wnids: Sequence[str], summary: Summary) -> pyarrow.Table:
    by_wnid = imagenet.by_wnid()
    index = np.array([by_wnid[wnid].index for wnid in wnids], np.uint16)
    answers = [wnids[best] for best in summary.top[:, 0]]
    ancestors = [
        wordnet.nearest_common_ancestor(wnid, answer) if wnid in by_wnid else (None, None)
        for wnid, answer in zip(image.wnid, answers, strict=True)
    ]
    unknown = summary.label_rank < 0
    return pyarrow.table(
        {
            "run_id": _repeated(run_id, len(image)),
            "image_id": pyarrow.array(image.image_id, pyarrow.string()),
            "ordinal": pyarrow.array(image.ordinal.to_numpy(), pyarrow.int32()),
            **{
                name: pyarrow.array(image[name].to_list(), pyarrow.string(), from_pandas=True)
                for name in ("wnid", "style", "form")
            },
            "top5": _lists(index[summary.top]),
            "top5_probability": _lists(summary.top_probability.astype(np.float32)),
            "label_rank": pyarrow.array(np.maximum(summary.label_rank, 0).astype(np.uint16), mask=unknown),
            "label_probability": pyarrow.array(summary.label_probability.astype(np.float32), mask=unknown),
            "margin": pyarrow.array(summary.margin.astype(np.float32), mask=unknown),
            "ancestor": pyarrow.array([wnid for wnid, _ in ancestors], pyarrow.string()),
            "ancestor_depth": pyarrow.array([depth for _, depth in ancestors], pyarrow.uint8()),
        }
    )


def _class_scores(run_id: str, image: pandas.DataFrame, label_rank: np.ndarray) -> pandas.DataFrame:
    """Right answers by class and style, of the pictures whose label is one of the classifier's classes."""
    counted = pandas.DataFrame(
        {
            "wnid": image.wnid.to_numpy(),
            "style": image["style"].to_numpy(),
            "images": 1,
            "top1": (label_rank == 1).astype(int),
            "top5": ((label_rank >= 1) & (label_rank <= TOP)).astype(int),
        }
    )
    counts = counted[label_rank >= 1].groupby(["wnid", "style"], dropna=False, as_index=False).sum()
    return counts.assign(run_id=run_id)


def _logit_table(run_id: str, image_ids: pandas.Series, logits: np.ndarray) -> pyarrow.Table:
    if logits.dtype == np.float16:
        values = {"half_bits": _lists(logits.view(np.uint16))}
    else:
        values = {"single_values": _lists(logits.astype(np.float32, copy=False))}
    return pyarrow.table(
        {"run_id": _repeated(run_id, len(logits)), "image_id": pyarrow.array(image_ids, pyarrow.string()), **values}
    )


def _lists(values: np.ndarray) -> pyarrow.ListArray:
    """(N, K) as N lists of K."""
    offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
    return pyarrow.ListArray.from_arrays(offsets, pyarrow.array(values.ravel()))


def _repeated(text: str, count: int) -> pyarrow.Array:
    return pyarrow.DictionaryArray.from_arrays(np.zeros(count, np.int8), [text])
