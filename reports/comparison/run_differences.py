"""The terms of runs and models under names for people, so that differences can be listed."""

from __future__ import annotations

from collections.abc import Mapping

from reports.scorecard.scorecard import ModelRecord, Scorecard

#: The term for the interpreter that a model ran in.
PYTHON = "Python of its process"


def run_terms(card: Scorecard) -> dict[str, str]:
    """The terms of the whole session, under names for people."""
    p = card.provenance
    terms = {
        "code": _sha(card),
        "Python": p.python,
        "platform": p.platform,
        "processor": p.processor,
        "cores": str(p.cores),
        "threads": str(p.threads),
        "seed": str(p.seed),
        "device asked for": p.device_requested,
    }
    for corpus in p.corpora:
        if corpus.user_voice is not None:
            terms[f"user's voice on {corpus.name}"] = corpus.user_voice.name
    return terms | {f"package {name}": version for name, version in p.packages.items()}


def model_terms(record: ModelRecord) -> dict[str, str]:
    """The terms of a model, under names for people."""
    terms = {
        "engine": record.engine,
        "checkpoint": record.checkpoint,
        "checkpoint hash": (record.checkpoint_sha256 or "unknown")[:12],
        "revision": record.revision or "none",
        "device": record.device or "none",
        PYTHON: record.python or "unknown",
    }
    terms |= {f"option {name}": str(given) for name, given in record.options.items()}
    return terms | {f"package {name}": version for name, version in record.packages.items()}


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The terms that differ, as "name: was, now is"."""
    return [
        f"{name}: {before.get(name, 'none')}, now {after.get(name, 'none')}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def record_of(card: Scorecard, model: str) -> ModelRecord | None:
    """The record of a model in a scorecard."""
    return next((record for record in card.models if record.name == model), None)


def _sha(card: Scorecard) -> str:
    sha = card.provenance.git_sha
    dirty = " with changes" if card.provenance.git_dirty else ""
    return "not in git" if sha is None else sha[:12] + dirty
