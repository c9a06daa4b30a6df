from matplotlib.axes import Axes
from matplotlib.figure import Figure

def subplots(*, figsize: tuple[float, float], layout: str) -> tuple[Figure, Axes]: ...
