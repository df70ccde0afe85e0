"""Configuration of the documentation: ``sphinx-build -W docs docs/_build``."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "hwsim"
author = "the hwsim developers"
version = release = version_of("hwsim")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "library_pages",
    "mathml",
]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_extensions"]
html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"hwsim {version}"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False

doctest_global_setup = """
import os, tempfile
import numpy as np
import pandas as pd
import hwsim
pd.set_option("display.width", 100)
os.chdir(tempfile.mkdtemp())
"""
doctest_test_doctest_blocks = ""
