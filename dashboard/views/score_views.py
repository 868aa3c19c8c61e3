"""Both models' accuracy by style and by class: dots with intervals, where they differ most, and a table."""

from functools import partial

import pandas
import streamlit

from dashboard import charts_predictions as charts
from dashboard import intervals, layout
from dashboard.connection import Results
from dashboard.kept import kept
from dashboard.views.contest import MEASURES, Contest, Tally, tally
from dashboard.views.hierarchy import hierarchy_of

DIFFERING_CLASSES = 8  # each way
FEW_CLASSES = 200  # the table of so many is drawn unseen; one of a thousand takes longer than all the rest


def by_style_and_class(results: Results, contest: Contest) -> None:
    """Draw the whole view."""
    table = class_table(results, contest)
    if table.empty:
        streamlit.info("No picture has a label that is a class of both, so that there is nothing to compare.")
        return
    streamlit.subheader("By style")
    rows = style_rows(contest, contest.counts(results, by="style"), tally(contest.counts(results).iloc[0]))
    measure = next(name for name, top in MEASURES.items() if top == contest.top)
    names = [contest.a.name, contest.b.name]
    layout.chart(partial(charts.shares_by_group, rows, names, f"share of pictures right, {measure}"), rows, "accuracy_by_style")
    if rows.group.nunique() == 1:
        streamlit.caption("The styles of these pictures are not known; a `manifest.csv` with a column `style` tells them.")
    else:
        streamlit.caption("Lines are Wilson’s 95 % intervals. The paired difference of a style stands in its tooltip.")
    streamlit.subheader("Classes that differ most")
    _class_chart(contest, table)
    all_classes = f"All {len(table)} classes as a table"
    with streamlit.expander(all_classes, key="accuracy_of_all_classes", on_change="rerun") as opened:
        if opened.open or len(table) <= FEW_CLASSES:
            formats = {name: "{:.3f}" for name in table if name.endswith(": share")}
            signed = dict.fromkeys(("B minus A", "95 % from", "to"), "{:+.3f}")
            layout.table(table, "accuracy_of_classes", formats | signed)
    layout.csv_button(table, "accuracy_by_class")


def style_rows(contest: Contest, by_style: pandas.DataFrame, everything: Tally) -> pandas.DataFrame:
    """Two rows, one a model, for all pictures and for each style that is known, in the charts' columns."""
    groups = [("all pictures", everything)]
    groups += [(str(row["style"]), tally(row)) for _, row in by_style.dropna(subset="style").iterrows()]
    return pandas.DataFrame(
        [
            {
                "group": f"{name} ({counted.images:,})",
                "model": model.name,
                "share": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "right": right,
                "images": counted.images,
                "difference": intervals.as_text(counted.lead_of_b, signed=True),
            }
            for name, counted in groups
            if counted.images
            for model, estimate, right in (
                (contest.a, counted.a, counted.both + counted.only_a),
                (contest.b, counted.b, counted.both + counted.only_b),
            )
        ]
    )


@kept
def class_table(results: Results, contest: Contest) -> pandas.DataFrame:
    """A row for each class: pictures, both models' right answers and shares, the paired difference; B's largest lead first.

    Empty where no class of both has a picture.
    """
    tree, rows = hierarchy_of(results), []
    by_class = contest.counts(results, by="wnid").dropna(subset="wnid")
    for _, row in by_class[by_class.images > 0].iterrows():
        counted = tally(row)
        lead = counted.lead_of_b
        rows.append(
            {
                "class": tree.name(row.wnid),
                "wnid": row.wnid,
                "pictures": counted.images,
                f"{contest.a.name}: right": counted.both + counted.only_a,
                f"{contest.b.name}: right": counted.both + counted.only_b,
                f"{contest.a.name}: share": counted.a.value,
                f"{contest.b.name}: share": counted.b.value,
                "B minus A": lead.value,
                "95 % from": lead.low,
                "to": lead.high,
            }
        )
    table = pandas.DataFrame(rows)
    if table.empty:
        return table
    return table.sort_values(["B minus A", "pictures", "wnid"], ascending=[False, False, True], ignore_index=True)


def _class_chart(contest: Contest, table: pandas.DataFrame) -> None:
    """Dots of the classes that lead most each way."""
    ahead, behind = table[table["B minus A"] > 0], table[table["B minus A"] < 0]
    behind = behind.sort_values(["B minus A", "pictures", "wnid"], ascending=[True, False, True])
    left, right = streamlit.columns(2, gap="medium")
    for column, rows, model in ((left, behind, contest.a), (right, ahead, contest.b)):
        with column:
            streamlit.markdown(f"**{layout.plain(model.name)} ahead** in {len(rows):,} of {len(table):,} classes")
            if len(rows):
                shown = _dots(contest, rows[:DIFFERING_CLASSES])
                drawing = partial(charts.class_differences, shown, [contest.a.name, contest.b.name])
                name = f"classes_that_differ_most_{'a' if model is contest.a else 'b'}"
                layout.chart(drawing, shown, name, layout.HALF_PX)
    shown = int(((table["95 % from"] > 0) | (table["to"] < 0)).sum())
    streamlit.caption(
        f"A class has {table.pictures.median():.0f} pictures here (median), so that single classes say little. In {shown} of "
        f"{len(table)} the 95 % interval of the difference leaves out zero; up to one in twenty would without any difference."
    )


def _dots(contest: Contest, rows: pandas.DataFrame) -> pandas.DataFrame:
    twice = rows["class"].duplicated(keep=False)
    named = rows.assign(name=rows["class"].where(~twice, rows["class"] + " " + rows.wnid))
    return pandas.DataFrame(
        [
            {
                "class": row["name"],
                "model": model.name,
                "share": row[f"{model.name}: share"],
                "right": row[f"{model.name}: right"],
                "images": row["pictures"],
                "difference": f"{row['B minus A']:+.3f} [{row['95 % from']:+.3f}, {row['to']:+.3f}]",
            }
            for _, row in named.iterrows()
            for model in (contest.a, contest.b)
        ]
    )
