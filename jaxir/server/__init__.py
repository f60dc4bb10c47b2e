"""A web application for one person at a time: drop a photo, say what spoiled it, watch, look, save.

What is let in (`access`, `bodies`, `uploads`, `names`) is apart from what is done with it (`jobs`, `worker`), what is
answered (`pages`, `photo_requests`, `job_requests`, `events`) from both, and all of them from how a photo is restored,
which the application is given. It needs the extra `web`.
"""

from jaxir.server.access import is_local
from jaxir.server.app import Restore, create_app
from jaxir.server.jobs import Cancelled, Job, Outcome
from jaxir.server.limits import Limits
from jaxir.server.own_folder import own_folder
from jaxir.server.serving import address, listen, server, visible_name

__all__ = [
    "Cancelled",
    "Job",
    "Limits",
    "Outcome",
    "Restore",
    "address",
    "create_app",
    "is_local",
    "listen",
    "own_folder",
    "server",
    "visible_name",
]
