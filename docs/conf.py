"""The site: `sphinx-build -W --keep-going -b html docs docs/_build/html`, without a network.

What is not kept in git is made first: `api/` from the packages, `notebooks/` by running the notebooks.
"""

import sys
from pathlib import Path

from pybtex.database import Person
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style
from pybtex.style.labels import BaseLabelStyle

import jaxir

sys.path.insert(0, str(Path(__file__).parent))

project = "jaxir"
author = "The jaxir developers"
copyright = "the jaxir developers, Apache licence 2.0"
version = release = jaxir.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.napoleon",
    "sphinxcontrib.bibtex",
    "extensions.notebooks",
    "extensions.api",
    "extensions.docstrings",
    "extensions.signatures",
    "extensions.links",
    "extensions.mathml",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
language = "en"

# ---- Markdown and notebooks

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # extensions.notebooks has run them
nb_merge_streams = True
nb_render_image_options = {"class": "output"}

# ---- The API

autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
napoleon_numpy_docstring = False
napoleon_attr_annotations = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# ---- The papers, by the keys that docstrings name


class _Keys(BaseLabelStyle):
    def format_labels(self, sorted_entries):
        return [entry.key for entry in sorted_entries]


class _ByKey(Style):
    default_label_style = _Keys

    def get_techreport_template(self, entry):
        if "author" not in entry.persons:  # of a standard: the body that wrote it
            entry.persons["author"] = [Person("{" + entry.fields["institution"] + "}")]
        return super().get_techreport_template(entry)


register_plugin("pybtex.style.formatting", "by_key", _ByKey)
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "by_key"
bibtex_cite_id = "{key}"

# ---- Pages

html_theme = "furo"
html_title = "jaxir"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#5b2a86",
        "color-brand-content": "#5b2a86",
        "font-stack": "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', sans-serif",
    },
    "dark_css_variables": {
        "color-brand-primary": "#fe9f6d",
        "color-brand-content": "#fe9f6d",
    },
}
