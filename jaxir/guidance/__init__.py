"""How a measurement bends a denoiser or a transition; one published method a file."""

from jaxir.guidance.ddnm import DDNM
from jaxir.guidance.diffpir import DiffPIR
from jaxir.guidance.dps import DPS, PublishedDPS
from jaxir.guidance.guided import Guided
from jaxir.guidance.mmps import MMPS
from jaxir.guidance.pigdm import PiGDM

__all__ = ["DDNM", "DPS", "MMPS", "DiffPIR", "Guided", "PiGDM", "PublishedDPS"]
