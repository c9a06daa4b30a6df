"""Words are printed in the fonts that come with Matplotlib."""

from pathlib import Path

import matplotlib as mpl

from veernet.synth.text import FONTS, font_folder


def test_the_fonts_are_found_where_matplotlib_has_them_without_importing_it():
    assert font_folder() == Path(mpl.get_data_path()) / "fonts" / "ttf"
    assert all((font_folder() / f"{name}.ttf").is_file() for name in FONTS)
