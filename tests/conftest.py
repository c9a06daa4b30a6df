"""Small worlds for the tests: a network with every kind of layer, logs of odd sizes."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import settings

from veernet.cli import main as cli
from veernet.synth.appearance import PLAIN
from veernet.synth.logs import SynthLogs
from veernet.synth.make import make

torch.set_num_threads(1)  # pytest-xdist already fills the cores
settings.register_profile("veernet", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("veernet")


@pytest.fixture(scope="session")
def small_logs():
    """Logs of two whole curves one pixel wide, a hundred columns of them."""
    appearance = replace(PLAIN, line_width=(1, 1))
    return SynthLogs(height=(40, 56), width=(70, 130), seed=3, appearance=appearance)


@pytest.fixture(scope="session")
def small_archive(small_logs, tmp_path_factory):
    """An archive of 5 + 2 + 2 of them; read only."""
    root = tmp_path_factory.mktemp("archive")
    make(root, small_logs, (5, 2, 2))
    return root


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def veernet(monkeypatch):
    """Run a command; returns its exit code."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["veernet", *map(str, words)])
        try:
            cli.main()
        except SystemExit as end:
            return end.code
        return 0

    return run
