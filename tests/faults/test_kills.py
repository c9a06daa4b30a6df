"""Nothing is lost that was computed: a run killed anywhere ends as one never disturbed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kills import HOW, same

from veernet import Archive
from veernet.train.log import read_log
from veernet.train.run import start

HERE = Path(__file__).parent
ENV = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")]),
}


@pytest.mark.parametrize(("kills", "ranks"), [(8, 1), (3, 2)])
def test_a_run_killed_at_random_moments_ends_in_the_same_weights_bit_for_bit(kills, ranks):
    command = [sys.executable, HERE / "kills.py", kills, ranks]
    done = subprocess.run([*map(str, command)], env=ENV, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert output["kills"] >= kills
    assert output["runs_that_differ"] == 0
    assert output["ranks_left_that_did_not_end"] == 0


@pytest.mark.parametrize("command", ["train", "evaluate", "digitise"])
def test_a_command_killed_at_random_moments_leaves_what_it_leaves_undisturbed(command):
    """To the byte, once it is run again; no set of files is mixed of two meanwhile."""
    words = [sys.executable, HERE / "kill_commands.py", command, 3]
    done = subprocess.run([*map(str, words)], env=ENV, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert output["kills"] >= 3
    assert (output["mixed"], output["differ"], output["left"]) == (0, 0, 0)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def steps_of(run: Path) -> int:
    log = run / "log.jsonl"
    return sum(row["kind"] == "step" for row in read_log(run)) if log.exists() else 0


def wait_for_steps(run: Path, least: int, process: subprocess.Popen) -> None:
    limit = time.monotonic() + 120
    while steps_of(run) < least:
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.005)


def test_torchrun_starts_a_killed_process_again_and_the_run_goes_on(small_archive, tmp_path):
    """Of two processes, one is killed twice; the group finishes as one that was left alone."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launch += ["--nproc-per-node", "2", "--max-restarts", "3", "-m", "veernet", "train"]
    options = ["--workers", "0", "--device", "cpu", "--checkpoint-steps", "1"]
    archive, runs = Archive.open(small_archive), [tmp_path / "calm", tmp_path / "killed"]
    for run in runs:
        start(run, archive, HOW)
    calm = subprocess.run([*launch, "--resume", runs[0], *options], env=ENV, capture_output=True)
    assert calm.returncode == 0, calm.stderr

    with subprocess.Popen(
        [*map(str, [*launch, "--resume", runs[1], *options])],
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as torchrun:
        try:
            for place, least in ((0, 2), (-1, 6)):
                wait_for_steps(runs[1], least, torchrun)
                os.kill(children(torchrun.pid)[place], signal.SIGKILL)
            said, _ = torchrun.communicate(timeout=120)
        finally:
            torchrun.kill()
    assert torchrun.returncode == 0, said
    assert same(*runs)


def test_a_command_that_began_a_run_goes_on_with_it_when_torchrun_repeats_it(
    small_archive, tmp_path
):
    command = [sys.executable, "-m", "veernet", "train", small_archive, "--out", tmp_path / "run"]
    command += ["--epochs", 1, "--effective-batch", 2, "--pixel-budget", 8000, "--workers", 0]
    command = [*map(str, command)]
    first = subprocess.run([*command, "--stop-after", "1"], env=ENV, capture_output=True, text=True)
    assert first.returncode == 75, first.stderr
    again = subprocess.run(command, env=ENV, capture_output=True, text=True)
    assert again.returncode == 2
    assert "holds a run already" in again.stderr
    restarted = {**ENV, "TORCHELASTIC_RESTART_COUNT": "1"}
    for other in (["--seed", "4"], ["--deterministic"]):
        done = subprocess.run([*command, *other], env=restarted, capture_output=True, text=True)
        assert done.returncode == 2
        assert "holds a run already" in done.stderr
    done = subprocess.run(command, env=restarted, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert steps_of(tmp_path / "run") == 3
