"""Networks whose answer is known."""

from veernet import VeerNet, VeerNetConfig


class SeesInk(VeerNet):
    """Calls every dark pixel curve 1: perfect for a log whose ink is its mask."""

    def __init__(self):
        super().__init__(VeerNetConfig(out_channels=1, channels=(2, 4), num_heads=1))

    def forward(self, image, sizes=None):
        return 40 * (image - 0.5)
