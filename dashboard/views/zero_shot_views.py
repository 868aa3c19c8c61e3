"""How CLIP is asked for ImageNet's classes: one prompt template or 80, cosines raw or scaled by the learned temperature."""

from functools import partial

import numpy as np
import pandas
import streamlit

from dashboard import charts_predictions as charts
from dashboard import layout
from dashboard import queries_predictions as queries
from dashboard.components import figures, gallery
from dashboard.connection import Results
from dashboard.views.contest import COLORS, MEASURES, NAMES, Contest, Model, contest_of, models_of, sentence, tally
from dashboard.views.hierarchy import hierarchy_of
from dashboard.views.picture_dialog import probabilities
from dashboard.views.score_views import style_rows

EXAMPLES = 10
SHOWN_ANSWERS = 8
ANSWERS_PX = 371  # of the place of a chart of answers
# Some of the 80 templates that OpenAI published for ImageNet with CLIP, and the one that stands alone.
ONE_TEMPLATE = "a photo of a {}."
SOME_TEMPLATES = (
    "a bad photo of a {}.",
    "a sculpture of a {}.",
    "a photo of the hard to see {}.",
    "a rendering of a {}.",
    "graffiti of a {}.",
    "a black and white photo of the {}.",
    "a sketch of a {}.",
    "the origami {}.",
    "a {} in a video game.",
    "itap of my {}.",
)


def zero_shot(results: Results, contest: Contest, choice: pandas.Series) -> None:
    """Draw the whole view, with what ran of CLIP's three ways to be asked."""
    models = models_of(queries.classifier_runs(results), contest.dataset, contest.profile)
    many, one, raw = (
        models.get(NAMES[variant]) for variant in ("clip_80_templates", "clip_one_template", "clip_80_templates_cosine")
    )
    if many is None:
        streamlit.info("CLIP with 80 prompts has not run on these pictures.")
        return
    _prompts(results)
    if one is not None:
        _templates(results, contest_of(results, choice, one, many, contest.top))
    if raw is not None:
        _temperature(results, contest, many, raw)


def _prompts(results: Results) -> None:
    streamlit.markdown(
        "CLIP never learned ImageNet’s classes. Each class is written as a prompt; the text encoder turns prompts into "
        "directions, the image encoder the picture; the class whose direction has the largest cosine with the picture’s is the "
        "answer. With 80 templates, the 80 directions of a class are averaged once, so that an answer costs no more."
    )
    tree = hierarchy_of(results)
    example = tree.name(tree.wnid_of_index[1]) if 1 in tree.wnid_of_index else "goldfish"
    one, some = streamlit.columns([1, 2], gap="medium")
    with one.container(border=True, height="stretch"):
        streamlit.markdown(f"**One prompt**\n\n*{layout.plain(ONE_TEMPLATE.format(example))}*")
    with some.container(border=True, height="stretch"):
        listed = " · ".join(f"*{layout.plain(template.format(example))}*" for template in SOME_TEMPLATES)
        streamlit.markdown(f"**{len(SOME_TEMPLATES)} of the 80**\n\n{listed}")


def _templates(results: Results, contest: Contest) -> None:
    streamlit.subheader("One prompt or eighty")
    counted = tally(contest.counts(results).iloc[0])
    streamlit.markdown(sentence(contest, counted, layout.plain))
    if not counted.images:
        return
    rows = style_rows(contest, contest.counts(results, by="style"), counted)
    measure = next(name for name, top in MEASURES.items() if top == contest.top)
    names = [contest.a.name, contest.b.name]
    layout.chart(
        partial(charts.shares_by_group, rows, names, f"share of pictures right, {measure}"), rows, "accuracy_by_prompts"
    )


def _temperature(results: Results, contest: Contest, scaled: Model, raw: Model) -> None:
    streamlit.subheader("Raw cosine or scaled")
    equal, compared = queries.equal_ranks(results, scaled.run_id, raw.run_id)
    rows = [queries.mean_probabilities(results, model.run_id).iloc[0] for model in (scaled, raw)]
    streamlit.markdown(
        f"Scaling changes no order: the true class has the same rank both ways on **{equal:,} of {compared:,}** pictures. "
        "But a cosine lies between −1 and 1, so that the softmax of raw cosines is nearly even, and its “probabilities” say "
        "nothing. CLIP learned a factor, the inverse temperature, by which cosines are multiplied first."
    )
    names = {"first answer": "largest", "true class": "label_probability"}
    told = [
        (f"Mean probability of the {of}", f"{rows[0][name]:.3f} scaled", f"{rows[1][name]:.4f} from raw cosines")
        for of, name in names.items()
    ]
    figures.show(told, "raw_and_scaled")
    _one_picture(results, contest, scaled, raw)


@streamlit.fragment
@layout.errors_as_messages()
def _one_picture(results: Results, contest: Contest, scaled: Model, raw: Model) -> None:
    """The same picture's answers both ways; a fragment, so that another picture draws nothing else anew."""
    sure = queries.surest_pictures(results, scaled.run_id, 20 * EXAMPLES).drop_duplicates("wnid")[:EXAMPLES]
    if sure.empty:
        return
    number = streamlit.pagination(len(sure), key="example", bind="query-params") if len(sure) > 1 else 1
    [picture] = queries.pictures(results, contest.dataset, [int(sure.ordinal.iloc[number - 1])]).itertuples()
    outputs = [queries.outputs(results, model.run_id, picture.image_id) for model in (scaled, raw)]
    if any(each.empty for each in outputs):
        streamlit.caption("The whole outputs of this picture were not kept.")
        return
    tree = hierarchy_of(results)
    left, *others = streamlit.columns([1, 2, 2], gap="medium")
    with left:
        url = gallery.photo_url(gallery.find_picture(results.images, picture.path), 320)
        cell = gallery.Cell(f"{tree.name(picture.wnid)}, picture {picture.ordinal}", f"Picture {picture.ordinal}", url)
        gallery.show([gallery.Row("", "", [cell])], "temperature_picture", 1.0, framed=False)
    for column, rows, title in zip(others, outputs, ("Scaled", "Raw cosine"), strict=True):
        shares = probabilities(rows)
        best = shares.sort_values(ascending=False, kind="stable")[:SHOWN_ANSWERS]
        bars = pandas.DataFrame(
            {
                "class": [tree.name(wnid) for wnid in best.index],
                "probability": best.to_numpy(),
                "is_label": [wnid == picture.wnid for wnid in best.index],
            }
        )
        with column:
            streamlit.markdown(f"**{title}**: entropy {entropy_bits(shares):.2f} of {np.log2(len(shares)):.2f} bits")
            name = f"answers_{title.lower().replace(' ', '_')}"
            layout.chart(partial(charts.answer_bars, bars, COLORS[1]), bars, name, ANSWERS_PX)
    scale = learned_scale(*outputs)
    streamlit.caption(
        f"Right pictures by their margin, the largest first, one of a class. Here the cosines are multiplied by {scale:.1f} "
        f"(temperature {1 / scale:.4f}). A blind guess among {len(outputs[0])} classes would have "
        f"{np.log2(len(outputs[0])):.2f} bits."
        if scale > 0
        else "The two outputs of this picture do not differ by a factor."
    )


def entropy_bits(shares: pandas.Series) -> float:
    """Entropy of probabilities, in bits."""
    positive = shares[shares > 0]
    return float(-(positive * np.log2(positive)).sum())


def learned_scale(scaled: pandas.Series, raw: pandas.Series) -> float:
    """The factor between two outputs over the same classes, by least squares."""
    raw = raw.reindex(scaled.index)
    return float((scaled * raw).sum() / max((raw * raw).sum(), 1e-12))
