"""The command line: `python -m compute list | doctor | run | references | merge`."""

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from compute import merge, plan, references, results
from compute.data.errors import DataError
from compute.doctor import examine
from compute.trials import Outcome, run_trials

app = typer.Typer(
    help="Compute Contrast's experiments once, and keep what they find in results.duckdb.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(emoji=False)  # or FILE.py:b: would lose its end to a picture


class Profile(enum.StrEnum):
    """How much is computed."""

    mini = "mini"
    gpu = "gpu"
    full = "full"


class Device(enum.StrEnum):
    """Where it is computed."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Labels(enum.StrEnum):
    """How masks become labels."""

    palette = "palette"
    kmeans = "kmeans"


Experiments = Annotated[
    list[str] | None, typer.Argument(metavar="[EXPERIMENT]...", help="Experiments by name; all of them where none is named.")
]
ProfileOption = Annotated[
    Profile, typer.Option(help="mini: a CPU, minutes. gpu: full size, no downloads. full: real data sets.")
]
DeviceOption = Annotated[Device, typer.Option(help="auto takes a CUDA GPU where there is one.")]
ResultsOption = Annotated[Path, typer.Option("--results", help="The file that holds all results.", dir_okay=False)]
ImagesOption = Annotated[Path, typer.Option(help="The folder of the pictures that results name.", file_okay=False)]
SeedOption = Annotated[int, typer.Option(min=0, help="The first of each experiment's seeds.")]
PairsOption = Annotated[
    Path | None, typer.Option(help="Folder of street pairs: train/*.jpg and val/*.jpg, photo left, mask right.")
]
LabelsOption = Annotated[Labels, typer.Option(help="palette: the nearest palette colour. kmeans: the notebook's clusters.")]
EpochsOption = Annotated[int | None, typer.Option(min=1, help="Train for so many epochs instead of the profile's.")]
ImageFolderOption = Annotated[
    Path | None, typer.Option(help="Folder of pictures: one folder per wnid, files named wnid_*.jpg, or a manifest.csv.")
]
ClassifierOption = Annotated[
    list[str] | None, typer.Option("--classifier", help="FILE.py:FUNCTION of a classifier of yours; may be given again.")
]
Rn50WeightsOption = Annotated[
    Path | None, typer.Option("--rn50-weights", help="File of weights for torchvision's resnet50.", dir_okay=False)
]
ClipWeightsOption = Annotated[
    Path | None, typer.Option("--clip-weights", help="File of weights for a CLIP with a ResNet.", dir_okay=False)
]
VocOption = Annotated[
    Path | None, typer.Option("--voc", help="Folder of VOC 2012: VOCdevkit, or what holds it.", file_okay=False)
]
VitWeightsOption = Annotated[
    Path | None, typer.Option("--vit-weights", help="File of weights for a ViT in DINO's format.", dir_okay=False)
]
CaptionsOption = Annotated[
    Path | None,
    typer.Option(
        help="Captions of the pictures in --image-folder or --voc: CSV (file,caption and, as you like, split) or COCO's JSON.",
        dir_okay=False,
    ),
]
BlipWeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--blip-weights",
        help="Folder of BLIP's weights from the hub: blip-image-captioning-base, blip-itm-base-coco, or what holds them.",
        file_okay=False,
    ),
]
CacheOption = Annotated[Path, typer.Option(help="The folder of what can be made again.", file_okay=False)]
RESULTS, IMAGES, CACHE = Path("results.duckdb"), Path("images"), Path(".cache")


@contextmanager
def _friendly_errors() -> Iterator[None]:
    try:
        yield
    except (DataError, results.ResultsError) as error:
        console.print(f"[red]{escape(str(error))}[/]", highlight=False, soft_wrap=True)
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
        there = results.finished_trials(results_file)
    for experiment in plan.EXPERIMENTS:
        own = [trial for trial in trials if trial.experiment == experiment.NAME]
        done = sum(trial.key in there for trial in own)
        table = Table(
            "Variant", "Seed", "Data", "State", title=f"{experiment.NAME}: {done} of {len(own)} done", title_justify="left"
        )
        for trial in own:
            state = f"[green]done[/], run {there[trial.key]}" if trial.key in there else "not yet"
            table.add_row(trial.variant, str(trial.seed), trial.data.name, state)
        console.print(f"\n[bold]{experiment.QUESTION}[/]", highlight=False)
        console.print(table, highlight=False)


@app.command()
def doctor(
    profile: ProfileOption = Profile.mini,
    device: DeviceOption = Device.auto,
    results_file: ResultsOption = RESULTS,
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
    """Say what this machine has and lacks for a profile, and the one line that mends it."""
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
    findings = examine(choices, device.value, results_file, images)
    table = Table("", "What", "Found", "What to do", title=f"Profile {profile.value}", title_justify="left")
    for finding in findings:
        state, remedy = ("[green]ok[/]", "") if finding.good else ("[red]lacks[/]", finding.remedy)
        table.add_row(state, finding.what, escape(finding.found), escape(remedy))
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
        chosen_device = _choose_device(device)
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
        outcome = run_trials(trials, results_file, images, cache, chosen_device, force, console)
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
        console.print(escape(told), highlight=False, soft_wrap=True)
    for experiment, variant in added.without_run:
        told = f"No run of {experiment} is called {variant}, so no page shows its figures yet."
        console.print(f"[yellow]{escape(told)}[/]", highlight=False, soft_wrap=True)


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
    for told in merge.report(merged):
        console.print(told, highlight=False, soft_wrap=isinstance(told, str))
    console.print(escape(f"Results are in {results_file}, pictures in {images}."), highlight=False, soft_wrap=True)


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
    console.print(f"\n[bold]{', '.join(parts)}.[/] Results are in {results_file}, pictures in {images}.", highlight=False)
    if outcome.interrupted:
        console.print("Stopped. What was finished is kept; the same command goes on from here.")
        return
    shown = "" if (results_file, images) == (RESULTS, IMAGES) else f"CONTRAST_RESULTS={results_file} CONTRAST_IMAGES={images} "
    console.print(f"Look at them: {shown}streamlit run dashboard/app.py", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app()
