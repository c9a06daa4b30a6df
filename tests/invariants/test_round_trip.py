"""A curve drawn and read again is the curve. (The archive's round trip: tests/data.)"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from veernet.curves.strokes import draw_mask
from veernet.curves.trace import read_trace
from veernet.synth.logs import SynthLogs


@settings(max_examples=40)
@given(
    steepest=st.floats(0, 1),
    period=st.floats(20, 300),
    phase=st.floats(0, 6),
    w=st.integers(12, 300),
    pen=st.floats(1, 4),
)
def test_a_curve_of_up_to_one_row_a_column_returns_to_half_a_pixel(steepest, period, phase, w, pen):
    swing = steepest * period / (2 * np.pi)
    rows = 52 + swing * np.sin(2 * np.pi * np.arange(w) / period + phase)
    mask = np.zeros((105, w), np.uint8)
    draw_mask(mask, rows, index=1, width=pen)
    read = read_trace((mask == 1).astype(float)).rows
    assert np.abs(read - rows).max() <= 0.5


def test_curves_of_synthetic_logs_return_to_half_a_pixel_in_the_median():
    """Spikes, beds and crossings included, where a column holds more than one row."""
    errors = []
    for number in range(20):
        log = SynthLogs(height=(160, 200), width=(400, 600)).log(number)
        for k, rows in enumerate(log.curves.rows, start=1):
            if np.isnan(rows).all():
                continue
            read = read_trace((log.mask == k).astype(float)).rows
            errors.append(np.nanmedian(np.abs(read - rows)))
    assert max(errors) <= 0.5
