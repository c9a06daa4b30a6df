"""The folder that the examples of the documentation work in."""

import numpy as np
import pytest

from veernet.data.raster import write_picture

TOML = """
[depth]
step = 0.5
ties = [[0, 1000], [199, 1099.5]]
[[track]]
left = 5
right = 105
top = 0
bottom = 199
[[track.curve]]
mnemonic = "GR"
left = 0
right = 150
"""


@pytest.fixture
def world(small_archive, tmp_path, monkeypatch):
    """A folder with an archive, a scan of one curve, and its calibration; the current one."""
    (tmp_path / "archive").symlink_to(small_archive)
    (tmp_path / "calibration.toml").write_text(TOML)
    scan = np.full((200, 111), 255, np.uint8)
    scan[np.arange(200), 50 + np.arange(200) // 10] = 0
    write_picture(tmp_path / "scan.png", scan)
    monkeypatch.chdir(tmp_path)
    return tmp_path
