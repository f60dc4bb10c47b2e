"""The notebooks, executed two at a time into docs/notebooks: the first that fails stops the build.

They are kept as Python files in `notebooks/`. A result is used again until its notebook or the package changes.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from sphinx.errors import ExtensionError
from sphinx.util import logging

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "notebooks"
RESULTS = ROOT / "docs" / "notebooks"
AT_A_TIME = 2
SECONDS = 300

log = logging.getLogger(__name__)


def is_old(source: Path) -> bool:
    """Whether a result is missing, or older than its notebook or a file of the package."""
    result = RESULTS / f"{source.stem}.ipynb"
    if not result.exists():
        return True
    made = result.stat().st_mtime
    return any(path.stat().st_mtime > made for path in (source, *ROOT.glob("jaxir/**/*.py")))


def read(source: Path) -> nbformat.NotebookNode:
    """A notebook that has not run."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    return notebook


def execute(source: Path) -> str:
    """Run a notebook in its own folder and store it; return what went wrong, if something did."""
    notebook = read(source)
    log.info("running %s", source.name)
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        resources={"metadata": {"path": str(SOURCES)}},
        extra_arguments=["--log-level=ERROR"],
    )
    client.log.setLevel("WARNING")
    try:
        client.execute()
    except Exception as error:  # the error of any cell
        return f"{source.name}: {error}"
    nbformat.write(notebook, RESULTS / f"{source.stem}.ipynb")
    return ""


def _run(app) -> None:
    RESULTS.mkdir(exist_ok=True)
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # or figures are lost
    sources = sorted(SOURCES.glob("*.py"))
    names = {source.stem for source in sources}
    for old in RESULTS.glob("*.ipynb"):
        if old.stem not in names:
            old.unlink()
    if not app.config.run_notebooks:
        for source in filter(is_old, sources):
            nbformat.write(read(source), RESULTS / f"{source.stem}.ipynb")
        return
    old = sorted(filter(is_old, sources), key=lambda path: -path.stat().st_size)  # long ones first
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        failed = [said for said in pool.map(execute, old) if said]
    if failed:
        raise ExtensionError("\n\n".join(failed))


def setup(app) -> dict:
    """Before Sphinx looks for pages; `-D run_notebooks=0` leaves them as they are, to work on the text."""
    app.add_config_value("run_notebooks", True, "", bool)
    app.connect("builder-inited", _run)
    return {"parallel_read_safe": True}
