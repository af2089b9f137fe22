"""All jobs, found by looking into this package and the products' folders in it."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from services.jobs.job import Job


@cache
def all_jobs() -> Mapping[str, Job]:
    """Every module's JOB, by name; those that run most often first."""
    folder = str(Path(__file__).parent)
    names = [found.name for found in pkgutil.walk_packages([folder], "workers.")]
    jobs = [getattr(importlib.import_module(name), "JOB", None) for name in names]
    found = [job for job in jobs if isinstance(job, Job)]
    return {job.name: job for job in sorted(found, key=lambda job: (_minutes(job.schedule), job.name))}


def _minutes(schedule: str) -> int:
    minute, hour, *_ = schedule.split()
    return 1 if minute == "*" else int(minute[2:]) if minute.startswith("*/") else 60 if hour == "*" else 1440
