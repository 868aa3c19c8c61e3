"""What the dashboard draws: its pages, each on the results of the moment.

It shows `results.duckdb` and `images/` of the folder above, or what CONTRAST_RESULTS and CONTRAST_IMAGES name.
"""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import streamlit

from dashboard import layout, links, loaded, saving
from dashboard.app_pages import (
    caption_sampling,
    fp32_vs_fp16,
    image_text_retrieval,
    imagenet_rn50_vs_clip,
    overview,
    rn50_architectures,
    runs,
    segmentation_decoder_heads,
    segmentation_metric,
    unet_skip_connections,
    wordnet_synsets,
)
from dashboard.components import gallery
from dashboard.connection import drawing_on, open_results
from dashboard.views import beside, notes

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SECTIONS: dict[str, list[ModuleType]] = {
    "": [overview],
    "Segmentation": [unet_skip_connections, segmentation_metric, segmentation_decoder_heads],
    "ImageNet and CLIP": [rn50_architectures, imagenet_rn50_vs_clip, wordnet_synsets, fp32_vs_fp16],
    "Captions and retrieval": [caption_sampling, image_text_retrieval],
    "Results": [runs],
}


def main() -> None:
    """Draw the page that the address names, on the results as they are now."""
    streamlit.set_page_config("Contrast", page_icon=str(HERE / "icon.svg"), layout="wide")
    streamlit.logo(str(HERE / "logo.svg"), icon_image=str(HERE / "icon.svg"), size="large")
    pages: layout.Pages = {}
    by_section: dict[str, list[Any]] = {}
    for section, modules in SECTIONS.items():
        for module in modules:
            stem = module.__name__.rpartition(".")[2]
            pages[stem] = streamlit.Page(_drawing(module, pages), title=module.TITLE, url_path=stem, default=module is overview)
            by_section.setdefault(section, []).append(pages[stem])
    streamlit.navigation(by_section).run()
    loaded.leave_alone()


def _drawing(module: ModuleType, pages: layout.Pages) -> Callable[[], None]:
    """What draws a module's page on the results of this moment."""
    stem = module.__name__.rpartition(".")[2]

    def draw() -> None:
        path = Path(os.environ.get("CONTRAST_RESULTS", ROOT / "results.duckdb"))
        images = Path(os.environ.get("CONTRAST_IMAGES", ROOT / "images"))
        with layout.errors_as_messages():
            streamlit.session_state[gallery.SHOWN] = results = open_results(path, images)
            with drawing_on(results):
                top = links.arrive(results, stem)
                module.page(results, pages)
                beside.of_page(results, module, pages)
                notes.of_page(results, stem, pages)
                links.tell(stem, top)
                with streamlit.container(horizontal=True, vertical_alignment="center", gap="small"):
                    links.copy_link(results)
                    saving.page_button(results, stem)

    return draw


if __name__ == "__main__":
    main()
