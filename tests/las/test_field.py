"""Files from wells, where they lie beside the project: every curve as lasio reads it."""

from pathlib import Path

import lasio
import numpy as np
import pytest

from veernet.las import read_las
from veernet.las.reading import NULLS

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in (ROOT / "shared/data", ROOT.parent / "shared/data")
    for name in ("las", "heinen")
    for path in (folder / name).glob("*.las")
)


@pytest.mark.skipif(not FILES, reason="no files from wells beside the project")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_from_wells_are_read_as_by_lasio(path):
    theirs, ours = lasio.read(path), read_las(path)
    order = slice(None, None, -1) if theirs.index[0] > theirs.index[-1] else slice(None)
    np.testing.assert_array_equal(ours.depth, theirs.index[order])
    assert [*ours.curves] == theirs.keys()[1:]
    for name, values in ours.curves.items():
        expected = np.where(np.isin(theirs[name], NULLS), np.nan, theirs[name])
        np.testing.assert_array_equal(values, expected[order], err_msg=name)
    assert theirs.index_unit is not None
    assert ours.unit == theirs.index_unit.lower()
    assert ours.notes == ()
