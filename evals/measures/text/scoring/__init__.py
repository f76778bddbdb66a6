"""The default scoring of texts: two texts differ by what was said, not by how it is written."""

from evals.measures.text.scoring.annotations import without_annotations
from evals.measures.text.scoring.look_alike import unseen_difference
from evals.measures.text.scoring.loops import loops, raw_tokens
from evals.measures.text.scoring.scoring import Scored, Scoring, Tokens, score, scoring_for
from evals.measures.text.scoring.wordless import missing_entities, without_words
from evals.measures.text.scoring.words import is_unspaced
from fixtures.corpora.languages import Language, parse_language

__all__ = [
    "Language",
    "Scored",
    "Scoring",
    "Tokens",
    "is_unspaced",
    "loops",
    "missing_entities",
    "parse_language",
    "raw_tokens",
    "score",
    "scoring_for",
    "unseen_difference",
    "without_annotations",
    "without_words",
]
