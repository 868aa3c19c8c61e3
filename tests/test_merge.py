"""A teammate's trials taken into ours: once, beside ours, or not at all; and their pictures, wherever they say they lie."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas
import pytest
from PIL import Image
from precision_rows import publish_precisions
from result_files import FileAndImages, MakeTrial, Tables, alter, counts, files_beside, query, set_value
from rich.console import Console
from test_results_killed_writer import complete_runs
from typer.testing import CliRunner

from compute import __main__ as command_line
from compute import results as results_module
from compute.connection import ResultsError, finished_trials
from compute.data.errors import DataError
from compute.merge import APART, ONLY, SAME, TAKEN, THERE, Merged, merge
from compute.results import publish
from compute.schema import TABLES

ROOT = Path(__file__).resolve().parents[1]
ALL_ROWS = {table: f"FROM {table} ORDER BY ALL" for table in TABLES}


class Lab:
    """A teammate's file and pictures, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.file, self.images = folder / "lab.duckdb", folder / "images"

    def publish(self, tables: Tables, drawn_in: Path) -> None:
        """Publish a trial whose pictures were drawn elsewhere; those of its run stay only here."""
        for table in ("image", "segmentation_mask"):
            for path in tables[table].path:
                (self.images / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(drawn_in / path, self.images / path)
        publish(self.file, self.images, tables)

    def alter(self, *statements: str) -> None:
        alter(self.file, *statements)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A teammate who has nothing yet."""
    (tmp_path / "lab").mkdir()
    return Lab(tmp_path / "lab")


@pytest.fixture
def same_lab(tiny_results: FileAndImages, lab: Lab) -> Lab:
    """A teammate who has what we have."""
    results, images = tiny_results
    shutil.copyfile(results, lab.file)
    shutil.copytree(images, lab.images)
    return lab


def became(merged: Merged) -> list[tuple[str, str, str]]:
    return [(fate.trial.run_id, fate.became, fate.profile) for fate in merged.trials]


def state(results: Path, images: Path) -> tuple[bytes, dict[str, bytes]]:
    pictures = {str(path.relative_to(images)): path.read_bytes() for path in images.rglob("*") if path.is_file()}
    return results.read_bytes(), pictures


def test_a_trial_that_only_they_have_comes_as_it_is(tiny_results: FileAndImages, lab: Lab, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    lab.publish(make_trial("run-2", "trial-2", 1), images)
    shutil.rmtree(images / "runs/run-2")
    merged = merge(lab.file, results, images)
    assert became(merged) == [("run-2", TAKEN, "mini")]
    assert finished_trials(results) == {"trial-1": "run-1", "trial-2": "run-2"}
    for table, columns in TABLES.items():
        if columns.strip().startswith("run_id"):
            rows = f"FROM {table} WHERE run_id = 'run-2' ORDER BY ALL"
            assert query(results, rows) == query(lab.file, rows), table
    assert (merged.pictures.copied, merged.pictures.already_there, merged.pictures.missing) == (2, 0, [])
    assert (images / "runs/run-2/epoch_0/2.png").read_bytes() == (lab.images / "runs/run-2/epoch_0/2.png").read_bytes()
    assert complete_runs(results) == {"run-1", "run-2"}
    assert counts(results)["image"] == 2
    assert files_beside(results) == {"results.duckdb"}


def test_theirs_alone_make_a_file_where_there_is_none(same_lab: Lab, tmp_path: Path) -> None:
    results, images = tmp_path / "new" / "ours.duckdb", tmp_path / "new" / "images"
    merged = merge(same_lab.file, results, images)
    assert became(merged) == [("run-1", TAKEN, "mini")]
    assert {table: query(results, sql) for table, sql in ALL_ROWS.items()} == {
        table: query(same_lab.file, sql) for table, sql in ALL_ROWS.items()
    }
    assert state(results, images)[1] == state(results, same_lab.images)[1]
    assert merged.pictures.copied == 6


CIRCUMSTANCES = (
    "UPDATE run SET started_at = '2026-05-05', seconds = 99, device = 'GPU', host = 'lab', python = '3.12', torch = '3', "
    "threads = 9, git_commit = 'abc'",
    "UPDATE training_step SET milliseconds = 77",
)


def test_the_same_trial_comes_once_whenever_and_wherever_it_ran(tiny_results: FileAndImages, same_lab: Lab) -> None:
    same_lab.alter(*CIRCUMSTANCES)
    before = state(*tiny_results)
    merged = merge(same_lab.file, *tiny_results)
    assert became(merged) == [("run-1", THERE, "mini")]
    assert state(*tiny_results) == before


OTHER_LOSS = "UPDATE training_step SET loss = loss + 1 WHERE run_id = 'run-1'"


def test_a_trial_with_other_rows_is_kept_apart_whole(tiny_results: FileAndImages, same_lab: Lab) -> None:
    results, images = tiny_results
    own = {table: query(results, f"FROM {table} ORDER BY ALL") for table in TABLES}
    same_lab.alter(OTHER_LOSS)
    merged = merge(same_lab.file, results, images, name="the lab")
    assert became(merged) == [("run-1", APART, "mini (the lab)")]
    assert merged.trials[0].trial.other == "4 rows of training_step"
    [(run_id, key)] = query(results, "SELECT run_id, trial_key FROM run WHERE profile = 'mini (the lab)'")
    assert finished_trials(results) == {"trial-1": "run-1", key: run_id}
    assert query(results, f"SELECT step, loss FROM training_step WHERE run_id = '{run_id}' ORDER BY ALL") == [
        (0, 2.5),
        (1, 2.25),
    ]
    assert query(results, "SELECT step, loss FROM training_step WHERE run_id = 'run-1' ORDER BY ALL") == [(0, 1.5), (1, 1.25)]
    found = {table: query(results, f"FROM {table} ORDER BY ALL") for table in TABLES}
    assert all(set(map(str, rows)) <= set(map(str, found[table])) for table, rows in own.items())
    assert complete_runs(results) == {"run-1", run_id}
    masks = query(results, f"SELECT path FROM segmentation_mask WHERE run_id = '{run_id}' ORDER BY ALL")
    assert masks == [(f"runs/{run_id}/epoch_0/{number}.png",) for number in (1, 2)]
    assert all((images / path).is_file() for (path,) in masks)


def test_our_trial_run_again_leaves_the_one_kept_apart_alone(
    tiny_results: FileAndImages, same_lab: Lab, make_trial: MakeTrial
) -> None:
    results, images = tiny_results
    same_lab.alter(OTHER_LOSS)
    merge(same_lab.file, results, images)
    publish(results, images, make_trial("run-1-2", "trial-1"))
    profiles = query(results, "SELECT profile, run_id = 'run-1-2' FROM run ORDER BY ALL")
    assert profiles == [("mini", True), ("mini (lab)", False)]
    for (path,) in query(results, "SELECT path FROM segmentation_mask"):
        assert (images / path).is_file()


def test_trials_that_a_page_shows_at_once_are_kept_apart_together(
    tiny_results: FileAndImages, lab: Lab, make_trial: MakeTrial
) -> None:
    results, images = tiny_results
    for run_id, key, seed, experiment in (
        ("run-1", "trial-1", 0, "unet_skip_connections"),
        ("run-2", "trial-2", 1, "unet_skip_connections"),
        ("run-3", "trial-3", 2, "unet_skip_connections"),
        ("run-4", "trial-4", 0, "segmentation_metric"),
    ):
        tables = make_trial(run_id, key, seed)
        tables["run"] = tables["run"].assign(experiment=experiment)
        lab.publish(tables, images)
        if run_id == "run-2":
            publish(results, images, tables)
    lab.alter("UPDATE training_step SET loss = 9 WHERE run_id = 'run-2'")
    merged = merge(lab.file, results, images)
    assert sorted(became(merged)) == [
        ("run-1", SAME, "mini (lab)"),
        ("run-2", APART, "mini (lab)"),  # another than ours
        ("run-3", ONLY, "mini (lab)"),
        ("run-4", TAKEN, "mini"),
    ]
    seeds = query(results, "SELECT experiment, profile, list(seed ORDER BY seed) FROM run GROUP BY ALL ORDER BY ALL")
    assert seeds == [
        ("segmentation_metric", "mini", [0]),
        ("unet_skip_connections", "mini", [0, 1]),
        ("unet_skip_connections", "mini (lab)", [0, 1, 2]),
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("settings = '{\"epochs\": 2}'", "other settings than ours"),
        ("data_fingerprint = 'e'", "other data or code than ours"),
    ],
)
def test_another_trial_in_the_place_of_ours_is_kept_apart(
    tiny_results: FileAndImages, same_lab: Lab, change: str, told: str
) -> None:
    same_lab.alter(f"UPDATE run SET trial_key = 'another', {change}")
    merged = merge(same_lab.file, *tiny_results)
    assert became(merged) == [("run-1", APART, "mini (lab)")]
    assert merged.trials[0].trial.other == told


def test_another_trial_of_the_same_run_id_gets_one_of_its_own(tiny_results: FileAndImages, same_lab: Lab) -> None:
    results, images = tiny_results
    same_lab.alter("UPDATE run SET trial_key = 'trial-9', seed = 9")
    assert became(merge(same_lab.file, results, images)) == [("run-1", TAKEN, "mini")]
    assert finished_trials(results) == {"trial-1": "run-1", "trial-9": "run-1-2"}
    assert (images / "runs/run-1-2/epoch_0/1.png").is_file()


@pytest.mark.parametrize("statement", [OTHER_LOSS, "UPDATE run SET trial_key = 'new', seed = 5"])
def test_merging_twice_changes_nothing(tiny_results: FileAndImages, same_lab: Lab, statement: str) -> None:
    same_lab.alter(statement)
    first = merge(same_lab.file, *tiny_results)
    before = state(*tiny_results)
    again = merge(same_lab.file, *tiny_results)
    assert state(*tiny_results) == before
    assert [fate.is_new for fate in (*first.trials, *again.trials)] == [True, False]
    assert again.pictures.copied == 0


def test_what_they_changed_since_stands_beside_what_they_had(tiny_results: FileAndImages, same_lab: Lab) -> None:
    for number in range(3):
        same_lab.alter(OTHER_LOSS)
        merge(same_lab.file, *tiny_results)
        assert len(query(tiny_results[0], "FROM run")) == number + 2
    profiles = query(tiny_results[0], "SELECT profile FROM run ORDER BY ALL")
    assert profiles == [("mini",), ("mini (lab 2)",), ("mini (lab 3)",), ("mini (lab)",)]


def test_our_own_trials_that_they_kept_apart_do_not_come_back(tiny_results: FileAndImages, same_lab: Lab) -> None:
    results, images = tiny_results
    same_lab.alter(OTHER_LOSS)
    merge(results, same_lab.file, same_lab.images, name="me")
    assert len(query(same_lab.file, "FROM run")) == 2
    merged = merge(same_lab.file, results, images)
    assert {fate[1:] for fate in became(merged)} == {(APART, "mini (lab)"), (THERE, "mini (me)")}
    profiles = query(results, "SELECT profile FROM run ORDER BY ALL")
    assert profiles == [("mini",), ("mini (lab)",)]


@pytest.mark.parametrize("name", ["", " lab", "a" * 41, "a (b)", "a\nb", "a · b"])
def test_an_odd_name_is_refused(tiny_results: FileAndImages, same_lab: Lab, name: str) -> None:
    with pytest.raises(DataError, match="is no name"):
        merge(same_lab.file, *tiny_results, name=name)


SHARED_CHANGES = [
    ("UPDATE segmentation_class SET color = '#112233' WHERE class_id = 1", "segmentation_class for tiny-ffffffff, 1,", "color"),
    ("UPDATE dataset SET license = 'CC BY'", "dataset for tiny-ffffffff,", "license"),
    ("UPDATE image SET width = 8, author = 'me'", "image for tiny-ffffffff/val/1, and of 1 more,", "width, author"),
]


@pytest.mark.parametrize(("statement", "told", "columns"), SHARED_CHANGES)
def test_shared_rows_that_disagree_are_named_and_nothing_is_merged(
    tiny_results: FileAndImages, same_lab: Lab, statement: str, told: str, columns: str
) -> None:
    same_lab.alter(statement, "UPDATE run SET trial_key = 'new', seed = 5")
    before = state(*tiny_results)
    with pytest.raises(ResultsError) as caught:
        merge(same_lab.file, *tiny_results)
    assert f"its row of the table {told} is another than ours in {columns}" in str(caught.value)
    assert str(caught.value).startswith(str(same_lab.file))
    assert state(*tiny_results) == before


def test_the_same_pictures_in_other_bytes_stay_ours(tiny_results: FileAndImages, same_lab: Lab) -> None:
    same_lab.alter(f"UPDATE image SET sha256 = '{'c' * 64}'", "UPDATE run SET trial_key = 'new', seed = 5")
    merged = merge(same_lab.file, *tiny_results)
    assert merged.stored_otherwise == 2
    assert query(tiny_results[0], "SELECT sha256 FROM image ORDER BY ALL") == [("a" * 64,), ("b" * 64,)]


REFERENCE = "INSERT INTO reference_result VALUES ('caption_sampling', 'greedy', 'BLEU in percent', {}, 'a report')"


def test_figures_of_reports_come_along_and_ours_stay(tiny_results: FileAndImages, same_lab: Lab) -> None:
    same_lab.alter(REFERENCE.format(21), REFERENCE.format(3).replace("greedy", "other"))
    alter(tiny_results[0], REFERENCE.format(20))
    merged = merge(same_lab.file, *tiny_results)
    assert (merged.new_references, merged.other_references) == (1, 1)
    assert query(tiny_results[0], "SELECT variant, value FROM reference_result ORDER BY ALL") == [("greedy", 20), ("other", 3)]


def test_another_picture_of_the_same_path_gets_a_name_of_its_own(
    tiny_results: FileAndImages, lab: Lab, make_trial: MakeTrial
) -> None:
    results, images = tiny_results
    lab.publish(make_trial("run-2", "trial-2", 1), images)
    (images / "runs/run-2/epoch_0/1.png").write_bytes(b"ours")
    merged = merge(lab.file, results, images)
    assert (images / "runs/run-2/epoch_0/1.png").read_bytes() == b"ours"
    assert (merged.pictures.copied, merged.pictures.renamed, merged.pictures.already_there) == (1, 1, 1)
    [(first,), (second,)] = query(results, "SELECT path FROM segmentation_mask WHERE run_id = 'run-2' ORDER BY image_id")
    assert second == "runs/run-2/epoch_0/2.png"
    assert first.startswith("runs/run-2/epoch_0/1.")
    assert (images / first).read_bytes() == (lab.images / "runs/run-2/epoch_0/1.png").read_bytes()
    before = state(results, images)
    merge(lab.file, results, images)
    assert state(results, images) == before


LEADING_OUT = ["../secret.png", "{folder}/secret.png", "runs/../../secret.png", "runs//1.png", ".hidden/1.png", "runs/1.py", ""]


@pytest.mark.parametrize("path", LEADING_OUT)
@pytest.mark.parametrize("table", ["image", "segmentation_mask"])
def test_a_path_that_leads_out_of_their_pictures_is_refused(
    tiny_results: FileAndImages, lab: Lab, make_trial: MakeTrial, tmp_path: Path, table: str, path: str
) -> None:
    results, images = tiny_results
    lab.publish(make_trial("run-2", "trial-2", 1), images)
    Image.new("L", (4, 4)).save(tmp_path / "lab" / "secret.png")
    lab.alter(
        "UPDATE image SET image_id = image_id || 'x'",
        f"UPDATE {table} SET path = '{path.format(folder=tmp_path / 'lab')}'",
    )
    before = state(results, images)
    with pytest.raises(DataError, match="a row names the picture"):
        merge(lab.file, results, images)
    assert state(results, images) == before


def test_a_link_that_leads_out_of_their_pictures_is_refused(
    tiny_results: FileAndImages, lab: Lab, make_trial: MakeTrial, tmp_path: Path
) -> None:
    results, images = tiny_results
    lab.publish(make_trial("run-2", "trial-2", 1), images)
    shutil.rmtree(images / "runs/run-2")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (lab.images / "runs/run-2/epoch_0/1.png").unlink()
    (lab.images / "runs/run-2/epoch_0/1.png").symlink_to(tmp_path / "secret.png")
    before = state(results, images)
    with pytest.raises(DataError, match="is a link that leads out of"):
        merge(lab.file, results, images)
    assert state(results, images) == before


def test_missing_pictures_are_counted_and_fetched_later(
    tiny_results: FileAndImages, lab: Lab, make_trial: MakeTrial, tmp_path: Path
) -> None:
    results, images = tiny_results
    lab.publish(make_trial("run-2", "trial-2", 1), images)
    shutil.rmtree(images / "runs/run-2")
    (tmp_path / "elsewhere").mkdir()
    merged = merge(lab.file, results, images, tmp_path / "elsewhere")
    assert merged.pictures.missing == ["runs/run-2/epoch_0/1.png", "runs/run-2/epoch_0/2.png"]
    again = merge(lab.file, results, images)
    assert (again.pictures.copied, again.pictures.missing) == (2, [])
    assert (images / "runs/run-2/epoch_0/2.png").is_file()


def test_our_pictures_do_not_pass_for_theirs(tiny_results: FileAndImages, same_lab: Lab) -> None:
    results, images = tiny_results
    beside_ours = results.with_name("sent.duckdb")
    same_lab.alter(OTHER_LOSS)
    shutil.copyfile(same_lab.file, beside_ours)
    merged = merge(beside_ours, results, images)
    assert len(merged.pictures.missing) == 2
    assert sorted(path.name for path in (images / "runs").iterdir()) == ["run-1"]


def test_a_run_that_another_was_measured_against_stays_with_it(tmp_path: Path) -> None:
    results, images = publish_precisions(tmp_path / "ours", ("fp32", "fp16"))
    theirs, _ = publish_precisions(tmp_path / "lab", ("fp32", "fp16", "bf16"))
    assert sorted(became(merge(theirs, results, images))) == [
        ("run-bf16", TAKEN, "mini"), ("run-fp16", THERE, "mini"), ("run-fp32", THERE, "mini"),
    ]  # fmt: skip
    pairs = "SELECT DISTINCT run_id, other_run_id FROM precision_drift ORDER BY ALL"
    assert query(results, pairs) == [("run-fp32", "run-bf16"), ("run-fp32", "run-fp16")]


def test_a_run_that_was_measured_on_another_device_is_kept_apart_with_what_it_was_measured_against(tmp_path: Path) -> None:
    results, images = publish_precisions(tmp_path / "ours", ("fp32",))
    theirs, _ = publish_precisions(tmp_path / "lab", ("fp32", "fp16"))
    alter(theirs, "UPDATE run SET device = 'GPU'")
    merged = merge(theirs, results, images, name="gpu")
    assert sorted(became(merged)) == [("run-fp16", APART, "mini (gpu)"), ("run-fp32", SAME, "mini (gpu)")]
    ids = dict(query(results, "SELECT variant, run_id FROM run WHERE profile = 'mini (gpu)'"))
    assert query(results, "SELECT DISTINCT run_id, other_run_id FROM precision_drift") == [(ids["fp32"], ids["fp16"])]
    assert query(results, f"SELECT count(*) FROM layer_drift WHERE run_id = '{ids['fp16']}'") != [(0,)]


def test_timings_that_were_measured_do_count(tmp_path: Path) -> None:
    results, images = publish_precisions(tmp_path / "ours", ("latency",))
    theirs, _ = publish_precisions(tmp_path / "lab", ("latency",))
    assert became(merge(theirs, results, images)) == [("run-latency", THERE, "mini")]
    alter(theirs, "UPDATE latency SET milliseconds = milliseconds / 10")
    assert became(merge(theirs, results, images, name="lab")) == [("run-latency", APART, "mini (lab)")]


def as_text(path: Path) -> None:
    path.write_text("no database" * 500)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30_000])


def cut_late(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-70_000])


def altered(*statements: str):
    return lambda path: alter(path, *statements)


BROKEN = [
    (as_text, "cannot be read as Contrast's results"),
    (cut, "cannot be read as Contrast's results"),
    (cut_late, ""),
    (altered("UPDATE contract SET version = 2"), "has tables of version [2], this program merges 1."),
    (altered("DELETE FROM contract"), "has tables of version [], this program merges 1."),
    (altered("DROP TABLE contract"), "lacks the table contract, so it holds no results of Contrast."),
    (altered("DROP TABLE run"), "lacks run, so it is damaged or of an earlier release."),
    (altered("DROP TABLE caption", "DROP TABLE logit"), "lacks caption, logit, so it is damaged or of an earlier release."),
    (altered("ALTER TABLE image DROP COLUMN form"), "lacks image.form, so it is damaged or of an earlier release."),
    (altered("DROP TABLE logit", "CREATE VIEW logit AS FROM read_text('/etc/passwd')"), "lacks logit, so it is damaged"),
    (altered("UPDATE run SET run_id = '../..'"), "its run '../..' has an odd name"),
    (altered("UPDATE run SET trial_key = 'a b'"), "its run 'run-1' has an odd name"),
    (altered("INSERT INTO run FROM run"), "its run 'run-1' has an odd name or is there twice"),
    (altered("ALTER TABLE run ALTER seed SET DATA TYPE VARCHAR", "UPDATE run SET seed = 'x', trial_key = 'b'"), ""),
    (altered("ALTER TABLE run ALTER experiment DROP NOT NULL", "UPDATE run SET experiment = NULL, trial_key = 'b'"), ""),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "told"), BROKEN)
def test_a_file_that_cannot_be_merged_is_named_and_changes_nothing(
    tiny_results: FileAndImages, same_lab: Lab, damage, told: str
) -> None:
    damage(same_lab.file)
    before = state(*tiny_results)
    with pytest.raises(ResultsError) as caught:
        merge(same_lab.file, *tiny_results)
    assert str(caught.value).startswith(f"{same_lab.file}: {told}")
    assert state(*tiny_results) == before


def test_no_file_no_folder_and_our_own_file_are_refused(tiny_results: FileAndImages, same_lab: Lab, tmp_path: Path) -> None:
    results, images = tiny_results
    with pytest.raises(ResultsError, match="there is no such file"):
        merge(tmp_path / "none.duckdb", results, images)
    with pytest.raises(DataError, match="there is no such folder"):
        merge(same_lab.file, results, images, tmp_path / "none")
    (tmp_path / "link.duckdb").symlink_to(results)
    for own in (results, tmp_path / "link.duckdb"):
        with pytest.raises(ResultsError, match="is our own file"):
            merge(own, results, images)
    with pytest.raises(ResultsError, match="there is no such file"):
        merge(tmp_path, results, images)


def test_rows_that_no_check_lets_pass_leave_all_as_it_was(tiny_results: FileAndImages, lab: Lab, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    lab.publish(make_trial("run-2", "trial-2", 1), images)
    shutil.rmtree(images / "runs/run-2")
    lab.alter("UPDATE segmentation_score SET intersection = -1")
    before = state(results, images)
    with pytest.raises(ResultsError, match=r"intersection must be 0 to .* rows of run run-2 in .*lab.duckdb"):
        merge(lab.file, results, images)
    assert state(results, images) == before
    assert not (images / "runs/run-2").exists()


@pytest.mark.parametrize("error", [OSError("no space"), KeyboardInterrupt(), RuntimeError("any")])
def test_a_failure_before_the_file_is_replaced_changes_nothing(
    tiny_results: FileAndImages, lab: Lab, make_trial: MakeTrial, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    results, images = tiny_results
    lab.publish(make_trial("run-2", "trial-2", 1), images)
    shutil.rmtree(images / "runs/run-2")
    before = state(results, images)

    def fail(*_: object) -> None:
        assert (images / "runs/run-2/epoch_0/1.png").is_file()  # all was done but this
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(results_module, "_flush", fail)
        with pytest.raises((ResultsError, KeyboardInterrupt, RuntimeError)):
            merge(lab.file, results, images)
    assert state(results, images) == before
    assert files_beside(results) == {"results.duckdb"}
    assert not (images / "runs/run-2").exists()
    assert became(merge(lab.file, results, images)) == [("run-2", TAKEN, "mini")]


DYING = """
import os, sys
from pathlib import Path
from compute import results
from compute.merge import merge
results._flush = lambda path: os._exit(9)
merge(*map(Path, sys.argv[1:]))
"""


def test_a_death_before_the_file_is_replaced_loses_nothing(
    tiny_results: FileAndImages, lab: Lab, make_trial: MakeTrial
) -> None:
    results, images = tiny_results
    lab.publish(make_trial("run-2", "trial-2", 1), images)
    shutil.rmtree(images / "runs/run-2")
    before = results.read_bytes()
    dead = subprocess.run([sys.executable, "-c", DYING, lab.file, results, images], cwd=ROOT, check=False)
    assert dead.returncode == 9
    assert results.read_bytes() == before
    merged = merge(lab.file, results, images)
    assert became(merged) == [("run-2", TAKEN, "mini")]
    assert (merged.pictures.copied, merged.pictures.already_there, merged.pictures.renamed) == (0, 2, 0)
    assert files_beside(results) == {"results.duckdb"}


def test_a_picture_that_cannot_be_copied_takes_all_back(
    tiny_results: FileAndImages, lab: Lab, make_trial: MakeTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, images = tiny_results
    lab.publish(make_trial("run-2", "trial-2", 1), images)
    shutil.rmtree(images / "runs/run-2")
    before = state(results, images)
    replace = os.replace

    def fail_on_the_second(source: Path, target: Path) -> None:
        if Path(target).name == "2.png":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_on_the_second)
    with pytest.raises(DataError, match=r"could not be copied to .*No space left on device"):
        merge(lab.file, results, images)
    assert state(results, images) == before


def test_nothing_of_their_files_is_changed(tiny_results: FileAndImages, same_lab: Lab) -> None:
    same_lab.alter(OTHER_LOSS)
    before = state(same_lab.file, same_lab.images)
    merge(same_lab.file, *tiny_results)
    assert state(same_lab.file, same_lab.images) == before
    assert files_beside(same_lab.file) == {"lab.duckdb"}


WHOLE = "kept with its group so that the page of mini ([b]lab) is whole"


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command_line, "console", Console(width=300, emoji=False))
    return lambda *arguments: CliRunner().invoke(command_line.app, ["merge", *map(str, arguments)])


def test_the_command_tells_what_became_of_each(call, tiny_results: FileAndImages, same_lab: Lab, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    other = make_trial("run-2", "trial-2")
    set_value("run", "experiment", "segmentation_metric")(other)
    same_lab.publish(other, images)
    both = make_trial("run-3", "trial-3", 1)
    publish(results, images, both)
    same_lab.publish(both, images)
    same_lab.publish(make_trial("run-4", "trial-4", 2), images)
    same_lab.alter(OTHER_LOSS)
    told = call(same_lab.file, "--results", results, "--name", "[b]lab")
    assert told.exit_code == 0, told.output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in told.output.splitlines() if line.startswith("│")]
    assert rows == [
        ["segmentation_metric", "mini", "1", "–", "–", "–", "–"],
        ["unet_skip_connections", "mini", "–", "–", "1", "1", "1"],
        ["unet_skip_connections · skip · seed 0", "mini ([b]lab)", "4 rows of training_step"],
        ["unet_skip_connections · skip · seed 1", "mini ([b]lab)", f"nothing: the same as ours, {WHOLE}"],
        ["unet_skip_connections · skip · seed 2", "mini ([b]lab)", f"we have none: {WHOLE}"],
    ]
    assert "6 pictures copied, 2 were there already." in told.output
    assert "timings that a trial is there to measure count." in told.output
    again = call(same_lab.file, "--results", results, "--name", "[b]lab")
    assert "0 pictures copied, 0 were there already." in again.output
    assert f"Results are in {results}, pictures in {images}." in again.output


def test_the_command_says_in_one_line_what_cannot_be_merged(call, tiny_results: FileAndImages, tmp_path: Path) -> None:
    told = call(tmp_path / "none.duckdb", "--results", tiny_results[0])
    assert told.exit_code == 1
    assert told.output.strip().splitlines() == [
        f"{tmp_path / 'none.duckdb'}: there is no such file. Name the results that a teammate sent, such as lab.duckdb."
    ]


def test_the_help_names_the_command(call) -> None:
    assert "merge" in CliRunner().invoke(command_line.app, ["--help"]).output
    assert "THEIRS.duckdb" in call("--help").output


def test_many_rows_keep_their_order(tiny_results: FileAndImages, lab: Lab, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    tables = make_trial("run-2", "trial-2", 1)
    steps = pandas.DataFrame({"step": range(20_000)}).assign(
        epoch=0, loss=1.0, learning_rate=0.1, milliseconds=1.0, run_id="run-2"
    )
    lab.publish({**tables, "training_step": steps}, images)
    merge(lab.file, results, images)
    with duckdb.connect(str(results), read_only=True) as connection:
        found = connection.execute("SELECT step FROM training_step WHERE run_id = 'run-2'").df()
    assert found.step.is_monotonic_increasing
