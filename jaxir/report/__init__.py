"""What a person looks at: pages, pictures side by side, animations, the uncertainty of each pixel, and tables."""

from jaxir.report.animation import animation
from jaxir.report.colours import balance, colourise
from jaxir.report.maps import residual_map, uncertainty_map
from jaxir.report.page import Detail, Entry, Scaled, asset, page
from jaxir.report.panel import Picture, Row, Uncertainty, panel
from jaxir.report.table import Result, markdown, plain

__all__ = [
    "Detail",
    "Entry",
    "Picture",
    "Result",
    "Row",
    "Scaled",
    "Uncertainty",
    "animation",
    "asset",
    "balance",
    "colourise",
    "markdown",
    "page",
    "panel",
    "plain",
    "residual_map",
    "uncertainty_map",
]
