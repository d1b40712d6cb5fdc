# SPDX-License-Identifier: Apache-2.0
"""How Sphinx makes the site out of these pages; `./tools/ws docs` runs it."""

from __future__ import annotations

import os

project = "easynetwork"
author = "the easynetwork developers"
project_copyright = "the easynetwork developers, Apache-2.0"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "matplotlib.sphinxext.plot_directive",
]
exclude_patterns = ["_build", "examples/**"]
html_theme = "furo"
html_title = "easynetwork"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Docstrings say `AsyncBackend.bootstrap`, and mean the object.
default_role = "py:obj"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True, "show-inheritance": True, "inherited-members": False}
python_use_unqualified_type_names = True

# The same drawing gives the same bytes, and text stays text: it can be found, and read aloud.
os.environ.setdefault("SOURCE_DATE_EPOCH", "0")  # the date that matplotlib writes into a file
plot_formats = ["svg"]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_rcparams = {"svg.fonttype": "none", "svg.hashsalt": "easynetwork"}
