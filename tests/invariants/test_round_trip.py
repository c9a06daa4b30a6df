"""A curve drawn and read again is the curve. (The archive's round trip: tests/data.)"""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from veernet.curves.strokes import draw_mask
from veernet.curves.trace import read_trace
from veernet.synth.logs import SynthLogs


@settings(max_examples=40)
@example(steepest=1.0, period=20.0, phase=3.25, w=12, pen=3.0)
@given(
    steepest=st.floats(0, 1),
    period=st.floats(20, 300),
    phase=st.floats(0, 6),
    w=st.integers(12, 300),
    pen=st.floats(1, 4),
)
def test_a_curve_returns_to_half_a_pixel_and_to_three_quarters_where_it_is_steep(
    steepest, period, phase, w, pen
):
    """Half a pixel for slopes of up to 0.6 rows per column, but for the two columns at the ends,
    which show one side of the slope; three quarters for slopes of up to 1, and at the ends."""
    swing = steepest * period / (2 * np.pi)
    rows = 52 + swing * np.sin(2 * np.pi * np.arange(w) / period + phase)
    mask = np.zeros((105, w), np.uint8)
    draw_mask(mask, rows, index=1, width=pen)
    error = np.abs(read_trace((mask == 1).astype(float)).rows - rows)
    assert error[1:-1].max() <= (0.5 if steepest <= 0.6 else 0.75)
    assert error.max() <= 0.75


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
