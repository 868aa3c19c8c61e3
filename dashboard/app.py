"""The dashboard's server: `streamlit run dashboard/app.py`. What it shows is in `pages.py`."""

import sys
from pathlib import Path

import streamlit

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:
    sys.path.insert(0, str(HERE.parent))  # so that this file, started by its path, finds its own package

from dashboard import arrival  # noqa: E402

arrival.answer_at_once()
app = streamlit.App(HERE / "pages.py", routes=arrival.routes())
