"""How a measurement bends a denoiser or a transition; one published method a file."""

from jaxir.guidance.centred import Centred
from jaxir.guidance.classifier import Classifier, ClassifierGuided, ClassifierShifted
from jaxir.guidance.classifier_free import ClassifierFree, Ramp, Unconditional
from jaxir.guidance.ddnm import DDNM
from jaxir.guidance.ddrm import DDRM
from jaxir.guidance.diffpir import DiffPIR
from jaxir.guidance.dps import DPS, DPSStep, PublishedDPS
from jaxir.guidance.first_stage import FirstStageGuided, flatness
from jaxir.guidance.guided import Guided
from jaxir.guidance.mmps import MMPS
from jaxir.guidance.pigdm import PiGDM
from jaxir.guidance.plug_and_play import ADMM
from jaxir.guidance.psld import PSLD
from jaxir.guidance.replacement import Replacement
from jaxir.guidance.shadow import ShadowPrior, transmission
from jaxir.guidance.tmpd import TMPD

__all__ = [
    "ADMM",
    "DDNM",
    "DDRM",
    "DPS",
    "MMPS",
    "PSLD",
    "TMPD",
    "Centred",
    "Classifier",
    "ClassifierFree",
    "ClassifierGuided",
    "ClassifierShifted",
    "DPSStep",
    "DiffPIR",
    "FirstStageGuided",
    "Guided",
    "PiGDM",
    "PublishedDPS",
    "Ramp",
    "Replacement",
    "ShadowPrior",
    "Unconditional",
    "flatness",
    "transmission",
]
