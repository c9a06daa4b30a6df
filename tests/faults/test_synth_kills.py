"""An archive is made whole whatever happens meanwhile, and nothing of the command stays."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killed_synth import begin, group, left

from veernet.data.archive import Archive
from veernet.data.combine import merge
from veernet.errors import ArchiveError
from veernet.synth.logs import SynthLogs
from veernet.synth.make import make

HERE = Path(__file__).parent


def test_an_archive_that_was_killed_at_random_moments_ends_in_the_same_files():
    script = [sys.executable, str(HERE / "killed_synth.py"), "2"]
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(script, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert output["kills"] >= 2
    assert output["archives_that_differ"] == 0
    assert output["processes_left"] == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_processes_that_draw_end_with_the_command_and_none_writes_beside_it(
    small_archive, tmp_path, how
):
    root = tmp_path / "archive"
    process = begin(root, counts=("--train", "5000"))
    try:
        limit = time.monotonic() + 120
        while not [*root.rglob("*.tif")]:
            assert time.monotonic() < limit
            assert process.poll() is None
            time.sleep(0.02)
        header = (root / "archive.json").read_bytes()
        with pytest.raises(ArchiveError, match="another process makes an archive there"):
            make(root, SynthLogs(height=(40, 40), width=(70, 70)), (1, 0, 0))
        with pytest.raises(ArchiveError, match="another process makes an archive there"):
            merge(root, [Archive.open(small_archive)])
        assert (root / "archive.json").read_bytes() == header
        assert len(group(process.pid)) >= 3  # the command, and two that draw
    finally:
        process.send_signal(how)
        process.wait()
        stayed = left(process.pid)
    assert stayed == []
