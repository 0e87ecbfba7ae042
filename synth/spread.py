"""One function over many jobs on Ray: each job a task, few at a time, answers as they come.

A task that is lost with its worker is run again, and one that does not answer is given to somebody else, which changes
nothing, as jobs are deterministic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ray

from conf import Config
from conf.errors import StageError

MAX_RETRIES = 3
QUEUE = 2  # jobs per running one that are handed over: the next is there when one ends


def shared(value: Any) -> Any:
    """Put a value where every task can read it, once; pass what this returns as an argument of jobs."""
    return ray.put(value)


def spread(work: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], config: Config) -> Iterator[tuple[int, Any]]:
    """(place, answer) of every job as it ends: `work(*job)` as tasks of the runtime's threads each.

    Raises StageError where a job fails, or none ends in time.
    """
    runtime = config.runtime.judge
    cores = float(ray.cluster_resources().get("CPU", 1.0))
    task = ray.remote(work).options(num_cpus=min(runtime.threads, cores), max_retries=MAX_RETRIES)
    waiting, left = deque(range(len(jobs))), set(range(len(jobs)))
    running: dict[Any, int] = {}
    patience = 1
    while left:
        while waiting and len(running) < runtime.tasks * QUEUE:
            place = waiting.popleft()
            running[task.remote(*jobs[place])] = place
        ready, _ = ray.wait(list(running), timeout=runtime.timeout_s)
        if not ready and patience == 0:
            raise StageError(f"no judge answered for {runtime.timeout_s} s: raise judge.timeout_s in the runtime file.")
        if not ready:  # a hung worker would not hear that it is to end
            patience -= 1
            running |= {task.remote(*jobs[place]): place for place in left & set(running.values())}
            continue
        place = running.pop(ready[0])
        if place in left:
            left.remove(place)
            yield place, _answer(ready[0])


def gathered(work: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], config: Config) -> list[Any]:
    """All answers, in the order of the jobs."""
    answers = dict(spread(work, jobs, config))
    return [answers[place] for place in range(len(jobs))]


def _answer(ready: Any) -> Any:
    try:
        return ray.get(ready)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        raise cause if isinstance(cause, StageError) else StageError(f"a judge failed: {cause!r}") from error
    except ray.exceptions.RayError as error:
        raise StageError(f"a judge's worker was lost {MAX_RETRIES + 1} times: {type(error).__name__}.") from error
