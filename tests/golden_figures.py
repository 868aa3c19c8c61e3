"""The key figures of the miniature, one or more for each experiment's finding, as the dashboard computes them.

    PYTHONPATH=. python tests/golden_figures.py                  # write tests/golden/mini.json anew from results.duckdb
    PYTHONPATH=. python tests/golden_figures.py OTHER.duckdb     # how far a file computed elsewhere is from it; writes nothing

The same file gives the same figures everywhere, and so do the same seed, machine and number of threads. With another machine or
number of threads, sums in training are rounded otherwise and training goes another way. What does not train stays the same
(EXACT). Of what trains, a fraction may lie up to ELSEWHERE from ours, twice as far as any did with one thread instead of two:
U-Nets' mean IoU by 0.019, that of heads by 0.011, RN50's top-1 accuracy by 0.018, CLIP's lead by 0.017, BLEU by 0.023, the skip
connections' gain by 0.001. Recall was not measured so. Mean ranks and the drift of precisions are only shown.
"""

import contextlib
import json
import math
import sys
from pathlib import Path

import numpy as np
import pandas

from dashboard import bleu, intervals, queries, queries_heads, queries_precision, queries_predictions, queries_retrieval, recall
from dashboard.connection import Results, open_results

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden" / "mini.json"
Figures = dict[str, float]
EXACT = ("rn50_architectures", "wordnet_synsets", "constant_")  # parts of the names of what no training changes
ONLY_SHOWN = ("fp32_vs_fp16", "mean rank")
ELSEWHERE = 0.05


def figures(results: Results) -> Figures:
    """Each figure by its name, `experiment: metric, variant`."""
    return {name: float(value) for part in PARTS for name, value in part(results).items()}


def figures_of_what_ran(results: Results) -> Figures:
    """The same of a file that lacks some experiments, or variants of them."""
    found: Figures = {}
    for part in PARTS:
        with contextlib.suppress(KeyError, ValueError):
            found |= {name: float(value) for name, value in part(results).items()}
    return found


def _runs(results: Results, experiment: str) -> dict[str, list[str]]:
    """Run ids of each variant, in the order of their seeds."""
    found = results.query("SELECT variant, run_id FROM run WHERE experiment = $name ORDER BY variant, seed", name=experiment)
    return {variant: rows.run_id.tolist() for variant, rows in found.groupby("variant")}


def _estimate(name: str, estimate: intervals.Estimate) -> Figures:
    return {name: estimate.value, f"{name}, low": estimate.low, f"{name}, high": estimate.high}


def _skip_connections(results: Results) -> Figures:
    [row] = queries.comparisons(results).itertuples()
    classes = int((~queries.classes(results, row.dataset).ignored).sum())
    counts = []
    for runs in (row.skip_runs, row.no_skip_runs):
        found = queries.final_counts(results, runs, False)
        columns = found[["intersection", "predicted", "truth"]].to_numpy(np.float64)
        counts.append(columns.reshape(len(runs), -1, classes, 3))
    weights = intervals.image_weights(counts[0].shape[1])
    skip, no_skip = (intervals.pooled_mean_iou(weights, each) for each in counts)
    return {
        **_estimate("unet_skip_connections: pooled mean IoU, skip", intervals.summarise(skip)),
        **_estimate("unet_skip_connections: pooled mean IoU, skip minus no_skip", intervals.summarise(skip - no_skip)),
    }


def _metric(results: Results) -> Figures:
    [row] = queries.comparisons(results).itertuples()
    scores = queries.predictor_scores(results, row.dataset, row.profile)
    means = scores.groupby("variant")[["notebook", "per_image", "pooled"]].mean()
    return {
        f"segmentation_metric: {metric} IoU, {variant}": means[metric][variant]
        for variant in ("constant_bicycle", "constant_sky", "skip")
        for metric in means.columns
    }


def _heads(results: Results) -> Figures:
    figures = {}
    for variant, run_ids in _runs(results, "segmentation_decoder_heads").items():
        last = queries_heads.epoch_scores(results, tuple(run_ids)).sort_values("epoch").iloc[-1]
        figures[f"segmentation_decoder_heads: pooled mean IoU, {variant}"] = last.pooled
    return figures


def _architectures(results: Results) -> Figures:
    found = results.query(
        """SELECT variant, sum(model_layer.parameters) AS parameters, sum(multiply_adds) AS multiply_adds
           FROM model_layer JOIN run USING (run_id) WHERE experiment = 'rn50_architectures' GROUP BY variant"""
    ).set_index("variant")
    return {
        f"rn50_architectures: {column}, {variant}": found[column][variant]
        for variant in found.index
        for column in found.columns
    }


def _synsets(results: Results) -> Figures:
    found = results.query(
        """SELECT count(*) AS synsets, count(imagenet_index) AS classes, max(depth) AS deepest,
                  (SELECT count(*) FROM synset_parent) AS edges FROM synset"""
    ).iloc[0]
    return {f"wordnet_synsets: {name}": found[name] for name in found.index}


def _classifiers(results: Results) -> Figures:
    runs = queries_predictions.classifier_runs(results).set_index("variant").run_id
    figures: Figures = {}
    for top in (1, 5):
        row = queries_predictions.outcome_counts(results, runs["clip_80_templates"], runs["rn50"], top).iloc[0]
        lead = intervals.paired_difference(int(row.only_a), int(row.only_b), int(row.images))
        figures |= _estimate(f"imagenet_rn50_vs_clip: top-{top} accuracy, clip_80_templates minus rn50", lead)
        figures[f"imagenet_rn50_vs_clip: top-{top} accuracy, rn50"] = (row.both + row.only_b) / row.images
    return figures


def _precision(results: Results) -> Figures:
    pairs, figures = queries_precision.drift_pairs(results), {}
    for variant in ("fp16", "bf16"):
        [lower] = _runs(results, "fp32_vs_fp16")[variant]
        found = queries_precision.drift_summary(results, pairs[lower], lower, "all")
        medians = queries_precision.drift_medians(results, pairs[lower], lower, "all")
        figures[f"fp32_vs_fp16: first answers changed, {variant}"] = found.flips
        figures[f"fp32_vs_fp16: largest change of a probability, {variant}"] = found.largest_change
        figures[f"fp32_vs_fp16: median KL divergence, {variant}"] = medians.divergence
    return figures


def _captions(results: Results) -> Figures:
    figures = {}
    for variant, run_ids in _runs(results, "caption_sampling").items():
        if variant in ("greedy", "top20_t1.0", "top50_t1.0"):
            scores = [_corpus_bleu(results, run_id) for run_id in run_ids]
            figures[f"caption_sampling: corpus BLEU, {variant}"] = np.mean(scores)
    return figures


def _corpus_bleu(results: Results, run_id: str) -> float:
    rows = results.query("SELECT matches, totals, words, reference_words FROM caption WHERE run_id = $run_id", run_id=run_id)
    matches, totals = (np.stack(rows[name].tolist()) for name in ("matches", "totals"))
    sums = bleu.statistics(matches, totals, rows.words.to_numpy(), rows.reference_words.to_numpy()).sum(axis=0)
    return float(bleu.corpus_bleu(sums))


def _retrieval(results: Results) -> Figures:
    figures: Figures = {}
    for variant, run_ids in _runs(results, "image_text_retrieval").items():
        if variant in ("evaluation", "fine_tuned"):
            places = [queries_retrieval.caption_places(results, run_id) for run_id in run_ids]
            figures[f"image_text_retrieval: R@1 of text to image, {variant}"] = np.mean([_recall(each, 1) for each in places])
            figures[f"image_text_retrieval: R@10 of text to image, {variant}"] = np.mean([_recall(each, 10) for each in places])
            ranks = [recall.mean_places(each.image_above.to_numpy(), each.image_tied.to_numpy()) for each in places]
            figures[f"image_text_retrieval: mean rank of text to image, {variant}"] = np.mean(ranks)
    return figures


def _recall(places: pandas.DataFrame, cutoff: int) -> float:
    return float(recall.expected_hits(places.image_above.to_numpy(), places.image_tied.to_numpy(), cutoff).mean())


def is_beyond(name: str, found: float, known: float) -> bool:
    """Whether a figure that was computed elsewhere is further from ours than another machine explains."""
    if any(part in name for part in EXACT):
        return not math.isclose(found, known, rel_tol=1e-9)
    return not any(part in name for part in ONLY_SHOWN) and not abs(found - known) <= ELSEWHERE


PARTS = (_skip_connections, _metric, _heads, _architectures, _synsets, _classifiers, _precision, _captions, _retrieval)


def main() -> None:
    """Write the golden file, or say how far another results file is from it."""
    if len(sys.argv) > 1:
        found = figures_of_what_ran(open_results(Path(sys.argv[1]), ROOT / "images"))
        for name, value in json.loads(GOLDEN.read_text()).items():
            if name in found:
                told = " BEYOND what another machine explains" * is_beyond(name, found[name], value)
                print(f"{name}: {found[name] - value:+.3g}, {found[name]:.4g} instead of {value:.4g}{told}")
            else:
                print(f"{name}: did not run")
    else:
        found = figures(open_results(ROOT / "results.duckdb", ROOT / "images"))
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(found, indent=2) + "\n")
        print(f"{len(found)} figures are in {GOLDEN}.")


if __name__ == "__main__":
    main()
