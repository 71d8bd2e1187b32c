"""A small training-like run: BM25's two numbers are tuned on the suite's questions, by a seeded random walk uphill."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from weft.demo.corpus import passages
from weft.demo.retriever import BM25, terms
from weft.tracking.runs.starting import start_run

STEPS = 80
DEPTH = 10
"""Passages looked at in each ranking."""
SEED = 7


class Quality(NamedTuple):
    """How well rankings put the right topics first, each from 0 to 1."""

    mrr: float
    """Mean of 1 / rank of the first passage of a right topic; 0 where none is among the first `DEPTH`."""
    top_1: float
    top_4: float


class Tuned(NamedTuple):
    """What the walk found."""

    k1: float
    b: float
    quality: Quality
    steps: int
    """Taken until it was found."""


def tune(rows: Sequence[Mapping[str, Any]], *, project: str | None = None, steps: int = STEPS) -> Tuned:
    """Walk uphill from a poor start; every step is logged to a run of its own.

    Args:
        rows: with `question` and `topics`.
    """
    asked = [(terms(row["question"]), frozenset(row["topics"])) for row in rows]
    draw = random.Random(SEED)
    index = BM25(passages(), k1=0.05, b=0.0)
    best = Tuned(index.k1, index.b, measure(index, asked), 0)
    config = {"steps": steps, "seed": SEED, "start": {"k1": index.k1, "b": index.b}, "questions": len(asked)}
    with start_run(project=project, name="bm25-tuning", config=config, job_type="tuning", tags=("demo",)) as run:
        for step in range(steps):
            width = 0.5 * (1 - step / steps) + 0.05
            index.k1 = min(4.0, max(0.0, best.k1 + draw.gauss(0, 2 * width)))
            index.b = min(1.0, max(0.0, best.b + draw.gauss(0, width)))
            found = measure(index, asked)
            if found >= best.quality:
                best = Tuned(index.k1, index.b, found, step + 1)
            tried = {"k1": index.k1, "b": index.b, **found._asdict()}
            run.log({"loss": 1 - best.quality.mrr, "best_mrr": best.quality.mrr, "tried": tried}, step=step)
        run.summary.update({"best": {"k1": best.k1, "b": best.b, **best.quality._asdict()}})
    return best


def measure(index: BM25, asked: Sequence[tuple[Sequence[str], frozenset[str]]]) -> Quality:
    """Rank the passages for each question."""
    ranks = []
    for query, topics in asked:
        hits = index.search(query, DEPTH)
        ranks.append(next((rank for rank, hit in enumerate(hits, 1) if hit.passage.topic in topics), None))
    return Quality(
        mrr=fmean(1 / rank if rank else 0.0 for rank in ranks),
        top_1=fmean(rank == 1 for rank in ranks),
        top_4=fmean(rank is not None and rank <= 4 for rank in ranks),
    )
