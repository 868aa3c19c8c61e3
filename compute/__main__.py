"""The command line: `python -m compute list | doctor | run | references | merge`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from compute import merge, merge_report, plan, references
from compute.connection import ResultsError, finished_trials
from compute.console import explained_os_error, shown
from compute.data.errors import DataError
from compute.doctor import examine
from compute.doctor_results import show_results
from compute.options import (
    CACHE,
    IMAGES,
    RESULTS,
    AddressOption,
    BlipWeightsOption,
    CacheOption,
    CaptionsOption,
    ClassifierOption,
    ClipWeightsOption,
    Device,
    DeviceOption,
    Engine,
    EngineOption,
    EpochsOption,
    Experiments,
    ImageFolderOption,
    ImagesOption,
    Labels,
    LabelsOption,
    PairsOption,
    Profile,
    ProfileOption,
    ResultsOption,
    Rn50WeightsOption,
    SeedOption,
    VitWeightsOption,
    VocOption,
)
from compute.trials import Engine as TrialEngine
from compute.trials import Outcome, one_after_another, run_trials

app = typer.Typer(
    help="Compute Contrast's experiments once, and keep what they find in results.duckdb.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(emoji=False)  # or FILE.py:b: would lose its end to a picture


@contextmanager
def _friendly_errors() -> Iterator[None]:
    try:
        yield
    except (DataError, ResultsError) as error:
        console.print(f"[red]{shown(str(error))}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except OSError as error:  # of a folder that closes itself while it is read, and the like
        console.print(f"[red]{shown(explained_os_error(error))}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


@app.command("list")
def list_trials(
    profile: ProfileOption = Profile.mini,
    results_file: ResultsOption = RESULTS,
    seed: SeedOption = 0,
    pairs: PairsOption = None,
    labels: LabelsOption = Labels.palette,
    epochs: EpochsOption = None,
    image_folder: ImageFolderOption = None,
    classifier: ClassifierOption = None,
    rn50_weights: Rn50WeightsOption = None,
    clip_weights: ClipWeightsOption = None,
    voc: VocOption = None,
    vit_weights: VitWeightsOption = None,
    captions: CaptionsOption = None,
    blip_weights: BlipWeightsOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Show each experiment, its trials, and which of them are done."""
    with _friendly_errors():
        choices = plan.Choices(
            profile.value,
            seed,
            pairs,
            labels.value,
            epochs,
            image_folder,
            tuple(classifier or ()),
            rn50_weights,
            clip_weights,
            voc,
            vit_weights,
            captions,
            blip_weights,
            cache,
        )
        trials = plan.trials([], choices)
        there = finished_trials(results_file)
    for experiment in plan.EXPERIMENTS:
        own = [trial for trial in trials if trial.experiment == experiment.NAME]
        done = sum(trial.key in there for trial in own)
        table = Table(
            "Variant", "Seed", "Data", "State", title=f"{experiment.NAME}: {done} of {len(own)} done", title_justify="left"
        )
        for trial in own:
            state = f"[green]done[/], run {there[trial.key]}" if trial.key in there else "not yet"
            table.add_row(shown(trial.variant), str(trial.seed), shown(trial.data.name), state)
        console.print(f"\n[bold]{experiment.QUESTION}[/]", highlight=False)
        console.print(table, highlight=False)


@app.command()
def doctor(
    results_file: Annotated[Path, typer.Argument(metavar="FILE", help="The file of results.", dir_okay=False)] = RESULTS,
    whole: Annotated[bool, typer.Option("--results", help="Check all rows of FILE and all its pictures, no more.")] = False,
    profile: ProfileOption = Profile.mini,
    device: DeviceOption = Device.auto,
    images: ImagesOption = IMAGES,
    pairs: PairsOption = None,
    image_folder: ImageFolderOption = None,
    rn50_weights: Rn50WeightsOption = None,
    clip_weights: ClipWeightsOption = None,
    voc: VocOption = None,
    vit_weights: VitWeightsOption = None,
    captions: CaptionsOption = None,
    blip_weights: BlipWeightsOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Say what this machine has and lacks for a profile, or what of results does not hold, and the one line that mends it."""
    if whole:
        with _friendly_errors():
            good = show_results(results_file, images, console)
        raise typer.Exit(0 if good else 1)
    choices = plan.Choices(
        profile.value,
        pairs=pairs,
        image_folder=image_folder,
        rn50_weights=rn50_weights,
        clip_weights=clip_weights,
        voc=voc,
        vit_weights=vit_weights,
        captions=captions,
        blip_weights=blip_weights,
        cache=cache,
    )
    with _friendly_errors():
        findings = examine(choices, device.value, results_file, images)
    table = Table("", "What", "Found", "What to do", title=f"Profile {profile.value}", title_justify="left")
    for finding in findings:
        state, remedy = ("[green]ok[/]", "") if finding.good else ("[red]lacks[/]", finding.remedy)
        table.add_row(state, finding.what, shown(finding.found), shown(remedy))
    console.print(table, highlight=False)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


@app.command()
def run(
    experiments: Experiments = None,
    profile: ProfileOption = Profile.mini,
    device: DeviceOption = Device.auto,
    results_file: ResultsOption = RESULTS,
    images: ImagesOption = IMAGES,
    seed: SeedOption = 0,
    force: Annotated[bool, typer.Option("--force", help="Run finished trials again.")] = False,
    engine: EngineOption = Engine.local,
    address: AddressOption = None,
    pairs: PairsOption = None,
    labels: LabelsOption = Labels.palette,
    epochs: EpochsOption = None,
    image_folder: ImageFolderOption = None,
    classifier: ClassifierOption = None,
    rn50_weights: Rn50WeightsOption = None,
    clip_weights: ClipWeightsOption = None,
    voc: VocOption = None,
    vit_weights: VitWeightsOption = None,
    captions: CaptionsOption = None,
    blip_weights: BlipWeightsOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Run what is not done yet. Every trial is kept as it ends; Ctrl-C loses only the one that is running."""
    with _friendly_errors():
        run_on, chosen_device = _engine(engine, address, device)
        choices = plan.Choices(
            profile.value,
            seed,
            pairs,
            labels.value,
            epochs,
            image_folder,
            tuple(classifier or ()),
            rn50_weights,
            clip_weights,
            voc,
            vit_weights,
            captions,
            blip_weights,
            cache,
        )
        trials = plan.trials(experiments or [], choices)
        outcome = run_trials(trials, results_file, images, cache, chosen_device, force, console, run_on)
    _summarise(outcome, results_file, images)
    if outcome.interrupted:
        raise typer.Exit(130)
    if outcome.failed:
        raise typer.Exit(1)


@app.command("references")
def add_references(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="Figures: experiment,variant,metric,value,source.", dir_okay=False)
    ],
    results_file: ResultsOption = RESULTS,
) -> None:
    """Add a report's figures, which pages show beside their own; one that is there already is replaced."""
    with _friendly_errors():
        added = references.add_file(file, results_file)
    console.print(f"{added.new} figures added, {added.already_there} were there already.", highlight=False)
    for (experiment, variant, metric), old, new in added.replaced:
        told = f"Replaced {metric} of {experiment}, {variant}: {old:g} by {new:g}."
        console.print(shown(told), highlight=False, soft_wrap=True)
    for experiment, variant in added.without_run:
        told = f"No run of {experiment} is called {variant}, so no page shows its figures yet."
        console.print(f"[yellow]{shown(told)}[/]", highlight=False, soft_wrap=True)


@app.command("merge")
def merge_results(
    theirs: Annotated[Path, typer.Argument(metavar="THEIRS.duckdb", help="The results that a teammate sent.", dir_okay=False)],
    their_images: Annotated[
        Path | None, typer.Option("--images", help="The folder of their pictures; images beside their file.", file_okay=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What their trials that contradict ours are called; their file's name.")
    ] = None,
    results_file: ResultsOption = RESULTS,
    our_images: Annotated[
        Path | None,
        typer.Option("--our-images", help="The folder of our pictures; images beside our file.", file_okay=False),
    ] = None,
) -> None:
    """Take a teammate's trials into ours: the same ones once, contradicting ones beside ours, all of it or nothing."""
    images = our_images or results_file.parent / IMAGES
    with _friendly_errors():
        merged = merge.merge(theirs, results_file, images, their_images, name)
    for told in merge_report.report(merged):
        console.print(told, highlight=False, soft_wrap=isinstance(told, str))
    console.print(shown(f"Results are in {results_file}, pictures in {images}."), highlight=False, soft_wrap=True)


def _engine(engine: Engine, address: str | None, device: Device) -> tuple[TrialEngine, torch.device]:
    """What runs trials, and what they compute on."""
    if engine is Engine.local:
        if address is not None:
            raise DataError(f"--address {address} is that of a Ray cluster: add --engine ray.")
        return one_after_another, _choose_device(device)
    try:
        from compute import ray_engine  # here, as few have Ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise DataError(
            "--engine ray needs Ray: pip install -r requirements-ray.txt. Without it, leave --engine out."
        ) from error
    return ray_engine.spread, ray_engine.connect(address, device.value)


def _choose_device(device: Device) -> torch.device:
    if device is Device.cuda and not torch.cuda.is_available():
        raise DataError("There is no CUDA GPU that torch can use. Run with --device cpu, or see: python -m compute doctor")
    return torch.device("cuda" if device is not Device.cpu and torch.cuda.is_available() else "cpu")


def _summarise(outcome: Outcome, results_file: Path, images: Path) -> None:
    parts = [f"{outcome.finished} trials finished"]
    if outcome.already_there:
        parts.append(f"{outcome.already_there} were there already")
    if outcome.failed:
        parts.append(f"[red]{len(outcome.failed)} failed[/] (see above)")
    where = shown(f"Results are in {results_file}, pictures in {images}.")
    console.print(f"\n[bold]{', '.join(parts)}.[/] {where}", highlight=False)
    if outcome.interrupted:
        console.print("Stopped. What was finished is kept; the same command goes on from here.")
        return
    named = "" if (results_file, images) == (RESULTS, IMAGES) else f"CONTRAST_RESULTS={results_file} CONTRAST_IMAGES={images} "
    console.print(shown(f"Look at them: {named}streamlit run dashboard/app.py"), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app()
