"""Pages are written as for the code host; what a site wants to be a link becomes one here.

Code that names something of the API, `jaxir.processes.VP` or `motion_blur(shape, 15, 30)` in backticks, leads there, in
Markdown and in docstrings alike. A bare word is a link only if it looks like a name (`VP`, `DPSStep`) or is called:
`sample` alone may be just a word. A link to a notebook's file leads to where it was run, the key of a paper to the
bibliography.
"""

from __future__ import annotations

import os
import re

from docutils import nodes
from extensions.docstrings import CITED, KEYS
from extensions.public import paths, short_names
from sphinx.addnodes import desc_annotation, pending_xref
from sphinx.transforms import SphinxTransform
from sphinx.util.nodes import make_refnode

NOTEBOOK = re.compile(r"\]\((?:\.\./)+notebooks/(\w+)\.py\)")
SHORT_CUTS = {
    "jaxir.restore": "jaxir.restoration.restore",
    "jaxir.sample": "jaxir.samplers.sample",
    "jaxir.load": "jaxir.pretrained.load",
}


def target(code: str) -> str | None:
    """The path of the public name that a piece of code begins with, and consists of but for its arguments."""
    if not (found := re.fullmatch(r"([A-Za-z_][\w.]*)(\(.*\))?", code)):
        return None
    name, called = found.groups()
    name = SHORT_CUTS.get(name, name)
    if name in paths():
        return name
    if called or re.search("[A-Z]", name):
        return short_names().get(name)
    return None


class Links(SphinxTransform):
    """Literals to references."""

    default_priority = 500

    def apply(self) -> None:
        """Of one document."""
        for literal in list(self.document.findall(nodes.literal)):
            inside = literal.parent
            while inside and not isinstance(inside, nodes.reference | nodes.title | pending_xref):
                inside = inside.parent
            if inside or not (path := target(literal.astext())):
                continue
            link = pending_xref(
                "", refdomain="py", reftype="obj", reftarget=path, refexplicit=True, refwarn=False
            )
            link["refdoc"] = self.env.docname
            literal.replace_self(link)
            link += literal
        for kind in self.document.findall(
            desc_annotation
        ):  # of a property, which Sphinx writes out
            for text in list(kind.findall(nodes.Text)):
                if "jaxlib._jax." in text:
                    text.parent.replace(text, nodes.Text(text.replace("jaxlib._jax.", "")))


def _alias(app, env, node, content):
    """An alias of a type in a signature: Sphinx looks for a class, and it is data."""
    if node.get("refdomain") != "py" or node.get("reftype") != "class":
        return None
    found = env.domains.python_domain.objects.get(node["reftarget"])
    if not found:
        return None
    return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, content)


def _read(app, name, source) -> None:
    """Keys of papers, `[luo2024taming]`; links to notebooks, to where they were run; the list of decisions."""
    if app.env.doc2path(name).suffix != ".md":
        return
    if name == "adr/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n"
    run = os.path.relpath("notebooks", os.path.dirname(name) or ".")
    text = NOTEBOOK.sub(rf"]({run}/\1.ipynb)", source[0])
    source[0] = CITED.sub(lambda m: f"{{cite:p}}`{m[1]}`" if m[1] in KEYS else m[0], text)


def setup(app) -> dict:
    """For every document."""
    app.add_transform(Links)
    app.connect("missing-reference", _alias)
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
