"""Tipoff: honest, calibrated forecasts for NBA 2K eSports matches."""

import os

__version__ = "0.1.0"

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: on matrices this small threads mostly wait
