"""The options of the command line that several commands have, or that say much."""

import enum
from pathlib import Path
from typing import Annotated

import typer


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


class Engine(enum.StrEnum):
    """On which machines it is computed."""

    local = "local"
    ray = "ray"


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
SeedOption = Annotated[int, typer.Option(min=0, max=2_000_000_000, help="The first of each experiment's seeds.")]
PairsOption = Annotated[
    Path | None, typer.Option(help="Folder of street pairs: train/*.jpg and val/*.jpg, photo left, mask right.")
]
LabelsOption = Annotated[Labels, typer.Option(help="palette: the nearest palette colour. kmeans: the notebook's clusters.")]
EpochsOption = Annotated[int | None, typer.Option(min=1, max=30_000, help="Train for so many epochs instead of the profile's.")]
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
EngineOption = Annotated[Engine, typer.Option(help="local: here, one trial after the other. ray: on a Ray cluster.")]
AddressOption = Annotated[
    str | None, typer.Option(help="Of the Ray cluster, or auto; without, Ray starts on this machine alone.")
]
CacheOption = Annotated[Path, typer.Option(help="The folder of what can be made again.", file_okay=False)]
RESULTS, IMAGES, CACHE = Path("results.duckdb"), Path("images"), Path(".cache")
