"""What a person looks at: pictures side by side, the uncertainty of each pixel, and tables."""

from jaxir.report.colours import colourise
from jaxir.report.panel import Picture, Row, Uncertainty, panel
from jaxir.report.table import Result, markdown, plain

__all__ = [
    "Picture",
    "Result",
    "Row",
    "Uncertainty",
    "colourise",
    "markdown",
    "panel",
    "plain",
]
