"""Batch computation of every experiment; `python -m compute`."""

import os

# Threads that wait for each other sleep instead of spinning: alone on a machine that costs a few percent, beside one other busy
# process it is two to three times as fast. It must be set before torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
