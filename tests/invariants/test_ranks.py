"""A step does not depend on how many processes share it, one without work included."""

import subprocess
from pathlib import Path

import laws
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from laws import EXAMPLES, SIZES, Scene
from scenes import scenes

TWO_BATCHES = Scene(sizes=SIZES, cut=[[0, 1, 3], [2, 4, 5]], more=[(0, 0), (3, 7)])


class Ranks:
    """Processes that take a step together, as often as they are asked to."""

    def __init__(self, ranks: int, folder: Path):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.processes = laws.launch(laws.__file__, ranks, folder / f"store{ranks}", **pipes)

    def step(self, scene: Scene) -> list[torch.Tensor]:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(laws.as_line(scene))
            process.stdin.flush()
        answers = self.processes[0].stdout
        assert answers is not None
        return torch.load(answers.readline().strip(), weights_only=True)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Two processes and three."""
    folder = tmp_path_factory.mktemp("ranks")
    several = {ranks: Ranks(ranks, folder) for ranks in (2, 3)}
    yield several
    for ranks in several.values():
        laws.end(ranks.processes)


@settings(max_examples=EXAMPLES)
@given(scenes(), st.sampled_from([2, 3]))
@example(TWO_BATCHES, 3)
def test_step_does_not_depend_on_the_number_of_processes(several, scene, ranks):
    assert laws.error(several[ranks].step(scene), scene.whole()) < 1e-10
