"""Matrix products of this size run on one thread."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.jobs import ROOT

CODE = """
import tipoff.forecast.distribution, numpy, os
numpy.ones((400, 400)) @ numpy.ones((400, 400))
print(len(os.listdir("/proc/self/task")))
"""


def test_a_product_keeps_to_one_thread() -> None:
    """Threads of a matrix library that wait for each other: a tenfold price where other processes run too."""
    hidden = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    plain = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        check=True,
        capture_output=True,
        text=True,
        env={**plain, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.strip() == "1"
