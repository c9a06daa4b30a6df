"""A step does not depend on how many processes share it, one without work included."""

import os
import subprocess
import sys
from pathlib import Path

import laws
import pytest
import torch

from veernet import collate

LAWS = Path(laws.__file__)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_step_does_not_depend_on_the_number_of_processes(ranks, tmp_path):
    out = tmp_path / "change.pt"
    command = [sys.executable, LAWS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen([*command, str(r), str(ranks), tmp_path / "store", out], env=environment)
        for r in range(ranks)
    ]
    try:
        assert [process.wait(timeout=300) for process in processes] == [0] * ranks
    finally:
        for process in processes:
            process.kill()
            process.wait()
    expected = laws.stepped([collate(laws.scans(laws.SIZES))])
    assert laws.error(torch.load(out, weights_only=True), expected) < 1e-10
