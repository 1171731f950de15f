"""Two attempts at one request: a canary that is slow, and live that is asked beside it. The first right answer is the caller's.

Each attempt names the other (`Job.beside`) until it ends itself.
"""

from __future__ import annotations

from lockgate.gateway.job import Job


def pair(canary: Job, live: Job) -> None:
    """Let live try beside the canary."""
    canary.beside, live.beside = live, canary


def answering(job: Job) -> Job | None:
    """The attempt that answers now that this one has ended. None: the other answered before, or may yet.

    An attempt without another beside it answers. Of two that failed it is live's that says so, whichever ended last. Live need
    not go on when the canary has answered; the canary goes on, as the breaker is to hear how it ends.
    """
    other, job.beside = job.beside, None
    if other is None:
        return job
    ended = other.beside is not job  # not by its outputs: one batch may hold both, once the canary is live
    if job.error is None and (not ended or other.error is not None):
        if not ended and other.failed is not None:
            other.over = True
        return job
    if not ended or other.error is None:
        return None
    return job if job.failed is not None else other
