"""Curves of drawn logs have the shapes of curves in LAS files."""

from dataclasses import replace

import lasio
import numpy as np
import pytest

from veernet.errors import OptionError
from veernet.synth.appearance import PLAIN
from veernet.synth.logs import SynthLogs


def test_curves_take_their_shapes_from_las_files(tmp_path):
    """A ramp stays a ramp: its slope has few signs; and the metadata names where it is from."""
    depth = np.arange(0, 400, 0.5)
    file = lasio.LASFile()
    file.append_curve("DEPT", depth, unit="FT")
    file.append_curve("RAMP", np.abs(depth - 200) + 20.0)
    file.append_curve("FLAT", np.full(len(depth), 7.0))
    file.append_curve("FEW", np.where(depth < 50, depth, np.nan))
    file.write(str(tmp_path / "a.las"), version=2.0)
    (tmp_path / "b.las").write_text("broken")
    logs = SynthLogs(height=(64, 64), width=(300, 300), appearance=PLAIN, shapes=str(tmp_path))
    for number in range(5):
        for curve in logs.row(number).curves:
            assert (curve.mnemonic, curve.source) == ("RAMP", "a.las")
        for values in logs.log(number).curves.values:
            slopes = np.sign(np.diff(values[np.isfinite(values)]))
            assert (np.diff(slopes) != 0).sum() <= 2 * (300 / 800 * 10 + 2)
    with pytest.raises(OptionError, match="no LAS file there"):
        replace(logs, shapes=str(tmp_path / "none")).log(0)


def test_a_shape_that_is_too_short_goes_on_backwards_without_a_jump(tmp_path):
    """A ramp, whose end is far from its beginning, over pages on which it does not last."""
    depth = np.arange(210.0)
    file = lasio.LASFile()
    file.append_curve("DEPT", depth, unit="FT")
    file.append_curve("RAMP", depth + 20.0)
    file.write(str(tmp_path / "a.las"), version=2.0)
    logs = SynthLogs(
        n_curves=1, height=(64, 64), width=(900, 900), appearance=PLAIN, shapes=str(tmp_path)
    )
    turns = 0
    for number in range(12):
        values = logs.log(number).curves.values[0]
        slopes = np.diff(values[np.isfinite(values)])
        assert np.abs(slopes).max() < 0.1
        turns += (np.diff(np.sign(slopes)) != 0).sum()
    assert turns >= 6
