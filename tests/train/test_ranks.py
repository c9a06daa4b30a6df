"""Several processes learn what one learns, agree on when to stop, and notice where they differ.

Also run as a script, as one process of two:  test_ranks.py RANK RANKS STORE FOLDER
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import laws
import pytest
import torch
import torch.distributed as dist
from rich.console import Console
from torch import nn

import veernet
from runs import newest
from veernet import Archive, Batch, Schedule, VeerNet, VeerNetConfig, distributed
from veernet.cli import main as cli
from veernet.demo import run_recipe
from veernet.recipes import RECIPES
from veernet.synth.logs import SynthLogs
from veernet.train import resume as resuming
from veernet.train import trainer
from veernet.train.run import start
from veernet.train.trainer import fit
from veernet.training import Training

CPU, QUIET = torch.device("cpu"), Console(quiet=True)
SINGLE = {**os.environ, "OMP_NUM_THREADS": "1"}
TINY = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=4, pixel_budget=8000),
    epochs=1,
)


def rows(run):
    """The log but for what varies from time to time and in the last digits."""
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    same = "kind", "step", "epoch", "learning_rate", "micro_batches", "labelled", "logs", "curves"
    near = "loss", "training_loss", "validation_loss"
    return [
        {key: row.get(key) for key in same}
        | {key: pytest.approx(row.get(key, 0.0), rel=1e-9) for key in near}
        for row in log
    ]


def test_runs_on_two_and_on_three_processes_learn_what_one_learns(
    small_archive, tmp_path, monkeypatch
):
    """Windows of 4 logs and of 1, so that some processes are idle in the second."""
    settings = "--epochs 2 --effective-batch 4 --pixel-budget 7000 --precision fp64 --workers 0"
    train = ["train", str(small_archive), *settings.split(), "--device", "cpu"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]

    def launched(n, *words):
        command = [*launch, str(n), "-m", "veernet", *map(str, words)]
        done = subprocess.run(command, env=SINGLE, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    several = tmp_path / "several"
    message = launched(2, *train, "--out", several, "--stop-after", 1)
    assert message.count("paused;") == 1
    message = launched(3, "train", "--resume", several, "--workers", 1, "--device", "cpu")
    assert message.count("epoch 1  training loss ") == message.count("trained: ") == 1

    monkeypatch.setattr(sys, "argv", ["veernet", *train, "--out", str(tmp_path / "one")])
    cli.main()
    found, expected = (newest(run) for run in (several, tmp_path / "one"))
    for name, value in expected.weights.items():
        assert value.dtype == torch.float64
        assert (found.weights[name] - value).norm() <= 1e-10 * value.norm(), name
    assert found.progress == expected.progress
    assert rows(several) == rows(tmp_path / "one")
    assert len([*(several / "tensorboard").iterdir()]) == 2  # of two launches


def message(do):
    """What an error says, by process."""
    try:
        do()
        text = None
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
    return distributed.all_gather(text)


def start_up(run):
    """What is said where something of the second process differs, by what it is."""
    new, split, read_config = resuming.TrainState.new, Archive.split, resuming.read_config

    def weights(*how):
        trained = new(*how)
        with torch.no_grad():
            next(trained.model.parameters())[0] += 1e-7
        return trained

    def optimizer(*how):
        trained = new(*how)
        trained.optimizer.param_groups[0]["betas"] = (0.8, 0.9)
        return trained

    def data(archive, name):
        found = split(archive, name)
        if name == "train":
            found.rows[2] = replace(found.rows[2], width=found.rows[2].width + 1)
        return found

    def settings(run):
        config = read_config(run)
        return replace(config, training=replace(config.training, clip=2.0))

    def nothing(*how):
        raise FileNotFoundError("a disk that is not mounted")

    changes = {
        "weights": (resuming.TrainState, "new", staticmethod(weights)),
        "optimizer": (resuming.TrainState, "new", staticmethod(optimizer)),
        "data": (Archive, "split", data),
        "settings": (resuming, "read_config", settings),
        "place": (resuming, "Progress", partial(resuming.Progress, step=1)),
        "nothing": (resuming, "first_weights", nothing),
    }
    messages = {}
    for name, change in changes.items():
        with mock.patch.object(*change) if distributed.rank() == 1 else nullcontext():
            messages[name] = message(lambda: fit(run, device=CPU, console=QUIET))
    return messages


def interrupted(run):
    """Where every process stops when the second one alone is interrupted in the first step, and
    how many logs it saw until then."""
    real, logs = trainer.train_step, []

    def step(*args, **kwargs):
        logs.extend(batch.n_images for batch in args[3])
        if distributed.rank() == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*args, **kwargs)

    with mock.patch.object(trainer, "train_step", step):
        done = fit(run, device=CPU, console=QUIET)
    return distributed.all_gather([done, newest(run).progress.step, sum(logs)])


def overflowed(run):
    """What is said where the loss of the second process alone is not finite."""
    forward = VeerNet.forward

    def endless(self, *args):
        return forward(self, *args) * (float("inf") if distributed.rank() == 1 else 1.0)

    with mock.patch.object(VeerNet, "forward", endless):
        return message(lambda: fit(run, device=CPU, console=QUIET))


def summed():
    """Gradients of the parameters: of both processes, of one, of none, and in bfloat16."""
    both, first, none = (nn.Parameter(torch.ones(2, 3)) for _ in range(3))
    half = nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    both.grad = torch.full((2, 3), 1.0 + distributed.rank())
    if distributed.rank() == 0:
        first.grad, half.grad = torch.full((2, 3), 5.0), torch.ones(2, dtype=torch.bfloat16)
    distributed.sum_gradients_([both, first, none, half])
    grads = [p.grad for p in (both, first, none, half)]
    return distributed.all_gather(
        [g if g is None else [str(g.dtype), *g.unique().tolist()] for g in grads]
    )


def idle():
    """A weight after a step of slope 1/4 under a scaled loss, where the second process has none."""

    class Slope(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.ones(1, 1, 1, 1))

        def forward(self, image, sizes):
            return self.a * image

    class Sum:
        def weight(self, batch):
            return 4

        def total(self, logits, batch):
            return logits.sum()

    target, size = torch.zeros(1, 1, 1, dtype=torch.uint8), torch.tensor([[1, 1]])
    one = Batch(torch.ones(1, 1, 1, 1), target, size)
    model, scaler = Slope(), torch.amp.GradScaler("cpu")
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    batches = [one][distributed.rank() :]
    veernet.train_step(model, optimizer, Sum(), batches, device=CPU, scaler=scaler)
    return distributed.all_gather(model.a.item())


def one_of_two(rank: int, ranks: int, store: Path, folder: Path) -> None:
    """All that is looked at in two processes; the first one writes down what both found."""
    dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=ranks)
    run, found = folder / "run", {"summed": summed(), "idle": idle()}
    archive = Archive.open(Path((folder / "archive").read_text()))
    found["taken"] = message(lambda: distributed.on_rank0(lambda: start(run, archive, TINY)))
    found["start_up"] = start_up(run)
    found["overflowed"] = overflowed(run)
    found["interrupted"] = interrupted(run)
    found["again"] = message(lambda: distributed.on_rank0(lambda: start(run, archive, TINY)))
    small = replace(
        RECIPES["demo"],
        logs=SynthLogs(n_curves=2, height=(64, 64), width=(90, 90)),
        counts=(2, 1, 1),
        training=TINY,
    )
    run_recipe(small, folder / "demo", device=CPU, workers=1, console=QUIET)
    dist.destroy_process_group()
    tasks = [task.read_text() for task in Path("/proc/self/task").glob("*/comm")]
    found["threads_left"] = [name for name in tasks if "gloo" in name]
    if rank == 0:
        (folder / "found.json").write_text(json.dumps(found))


@pytest.fixture(scope="module")
def found(small_archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    (folder / "archive").write_text(str(small_archive))
    laws.run_together(__file__, 2, folder / "store", folder)
    return {**json.loads((folder / "found.json").read_text()), "folder": folder}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("weights", "weights and optimizer"),
        ("optimizer", "weights and optimizer"),
        ("data", "data"),
        ("settings", "settings"),
        ("place", "place in the run"),
    ],
)
def test_processes_that_differ_refuse_to_train_and_say_in_what(found, change, name):
    expected = f"RunError: the processes of this run differ: {name} of rank 1, from those of rank 0"
    assert found["start_up"][change] == [expected] * 2


def test_an_error_of_one_process_stops_the_others(found):
    assert found["start_up"]["nothing"] == [
        "RunError: process 1: a disk that is not mounted",
        "FileNotFoundError: a disk that is not mounted",
    ]
    first, second = found["again"]
    assert found["taken"] == [None, None]
    assert first.startswith("RunError: ")
    assert second == first.replace("RunError: ", "RunError: process 0: ")


def test_a_gradient_that_one_process_finds_infinite_is_applied_by_none(found):
    assert len(found["overflowed"]) == 2
    assert all("the gradient is not finite" in text for text in found["overflowed"])


def test_all_processes_pause_where_one_is_interrupted(found):
    assert [place for *place, _ in found["interrupted"]] == [[False, 1]] * 2


def test_the_logs_of_a_step_are_shared(found):
    logs = [logs for *_, logs in found["interrupted"]]
    assert min(logs) >= 1
    assert sum(logs) == 4


def test_a_process_without_work_scales_nothing_and_steps_all_the_same(found):
    assert found["idle"] == [found["idle"][0]] * 2
    assert found["idle"][0] == pytest.approx(1 - 0.25)


def test_gradients_are_summed_and_those_that_no_process_has_stay_none(found):
    both, first, half = ["torch.float32", 3.0], ["torch.float32", 5.0], ["torch.bfloat16", 1.0]
    assert found["summed"] == [[both, first, None, half]] * 2


def test_no_thread_outlives_the_group_of_processes(found):
    """One that does may hold a tensor while the interpreter ends, which aborts the process."""
    assert found["threads_left"] == []


def test_the_demo_is_shared_by_the_processes(found):
    log = (found["folder"] / "demo/run/log.jsonl").read_text().splitlines()
    assert [json.loads(row)["kind"] for row in log] == ["step", "epoch"]
    assert (found["folder"] / "demo/report.html").exists()


@pytest.mark.parametrize(
    ("name", "expected"), [("cuda", "cuda:3"), ("cuda:0", "cuda:0"), ("cpu", "cpu")]
)
def test_a_process_takes_the_gpu_of_its_number(monkeypatch, name, expected):
    assert distributed.own_device(torch.device(name)) == torch.device(name)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "some")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert distributed.own_device(torch.device(name)) == torch.device(expected)


if __name__ == "__main__":
    one_of_two(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
