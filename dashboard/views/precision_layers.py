"""Where drift arises: the error of each layer's output, the range of its values, and what stays in fp32."""

from functools import partial

import pandas
import streamlit

from dashboard import charts_precision as charts
from dashboard import layout
from dashboard import queries_precision as queries
from dashboard.connection import Results
from dashboard.views.precision_runs import (
    FORMATS,
    SINGLE,
    Setup,
    arithmetic_words,
    magnitude,
    measured_on,
    not_done,
    percent,
    small,
)


@streamlit.fragment
@layout.errors_as_messages()
def layers(results: Results, setup: Setup) -> None:
    """Draw the whole tab."""
    if setup.lower_run is None:
        not_done(setup.lower, "No layer’s output has been compared.")
        return
    rows = queries.layer_errors(results, setup.lower_run)
    if rows.empty:
        streamlit.info("These results hold no errors of single layers.")
    else:
        _errors(setup, rows)
    _kept(results, setup)


def _errors(setup: Setup, rows: pandas.DataFrame) -> None:
    streamlit.subheader("Error after each layer")
    known = FORMATS.get(setup.lower)
    bound, text = (known.bound, f"{known.bound_words}: rounding once") if known else (None, "")
    layout.chart(partial(charts.layer_errors, rows, bound, text), rows, "errors_by_layer")
    streamlit.caption(
        f"Distance of the output from fp32’s as a share of its length: median of {int(rows.images.max()):,} pictures, the band "
        f"from 5 to 95 %. The gray line is what a layer adds by itself. {arithmetic_words(setup)} "
        f"{measured_on(setup, setup.lower_run)}"
    )
    streamlit.markdown(growth_sentence(rows))
    table = pandas.DataFrame(
        {
            "layer": rows.layer,
            "relative error": rows.error,
            "its own": rows.own_error,
            "largest value": rows.largest_value,
            "below normal": rows.below_normal,
        }
    )
    formats = {"relative error": small, "its own": small, "largest value": magnitude, "below normal": percent}
    if known and known.largest < 1e6:
        table.insert(4, "of the largest number", rows.largest_value / known.largest)
        formats["of the largest number"] = percent
    layout.table(table, "errors_of_layers", formats)
    streamlit.caption(
        "Largest value: the largest magnitude in fp32. Below normal: the mean share of values other than zero that are too "
        "small for the format’s full precision."
    )


def growth_sentence(rows: pandas.DataFrame) -> str:
    """How the error grows over the layers, and which adds most by itself; from `queries.layer_errors`, in Markdown."""
    first, last = rows.iloc[0], rows.iloc[-1]
    most = rows.loc[rows.own_error.idxmax()] if rows.own_error.notna().any() else last
    grows = f" ({last.error / first.error:.1f} times)" if first.error > 0 else ""
    return (
        f"The error goes from {small(first.error)} after “{layout.plain(first.layer, 40)}” to {small(last.error)} "
        f"after “{layout.plain(last.layer, 40)}”{grows}. By itself “{layout.plain(most.layer, 40)}” adds most, "
        f"{small(most.own_error)}."
    )


def _kept(results: Results, setup: Setup) -> None:
    lower = layout.plain(setup.lower)
    streamlit.subheader("What stays in fp32")
    groups = queries.parameter_groups(results, setup.lower_run or "")
    if groups.empty:
        streamlit.info("These results do not list the model’s tensors.")
        return
    streamlit.markdown(kept_sentence(groups, lower))
    if told := rounded_sentence(groups, lower):
        streamlit.markdown(told)
    shown = groups.rename(columns={"data_type": "kept in", "rounded": "changed by that"})
    formats = dict.fromkeys(("tensors", "elements", "changed by that"), "{:,}")
    layout.table(shown, "kept_tensors", formats)
    names = queries.parameter_names(results, setup.lower_run or "", SINGLE)
    kept = int(groups.tensors[groups.data_type == SINGLE].sum())
    with streamlit.expander(f"Names of the {kept:,} tensors that stay in fp32"):
        layout.table(names, "kept_names")
        if kept > len(names):
            streamlit.caption(f"The first {len(names):,}.")


def rounded_sentence(groups: pandas.DataFrame, lower: str) -> str:
    """How many of the image encoder's converted numbers become other ones, from `queries.parameter_groups`; in Markdown."""
    own = groups[(groups.part == "image encoder") & (groups.data_type != SINGLE)]
    elements, rounded = int(own.elements.sum()), int(own.rounded.sum())
    if not elements:
        return ""
    if not rounded:
        return (
            f"None of the image encoder’s {elements:,} converted numbers changes by that: they were numbers of {lower} before, "
            "so that all drift is of what the layers compute."
        )
    return f"Of the image encoder’s {elements:,} converted numbers {percent(rounded / elements)} become other numbers."


def kept_sentence(groups: pandas.DataFrame, lower: str) -> str:
    """How much of CLIP stays in fp32, and of which kinds, from `queries.parameter_groups`; in Markdown."""
    parts = []
    for part, own in groups.groupby("part", sort=True):
        kept = own[own.data_type == SINGLE]
        kinds = kept.groupby("kind").tensors.sum().sort_values(ascending=False, kind="stable")
        named = ", ".join(f"{layout.plain(kind, 40)} {count:,}" for kind, count in kinds.head(6).items())
        share = float(kept.elements.sum() / max(1, own.elements.sum()))
        parts.append(
            f"of the {layout.plain(part, 40)} **{kept.tensors.sum():,} of {own.tensors.sum():,} tensors**, {percent(share)} of "
            f"its numbers{f' ({named})' if named else ''}"
        )
    if lower == "tf32":
        return f"tf32 keeps every tensor in fp32 and only rounds the factors of products: {'; '.join(parts)} stay in fp32."
    return (
        f"CLIP’s own conversion to {lower} leaves in fp32 {'; '.join(parts)}. It converts the weights of convolutions, linear "
        "layers and attention; what normalizes, and the embeddings of tokens and positions, it leaves."
    )
