"""The default scoring of texts: two texts differ by what was said, not by how it is written."""

from evals.measures.text.scoring.language import Language, parse_language
from evals.measures.text.scoring.loops import loops
from evals.measures.text.scoring.scoring import Scored, Scoring, Tokens, score, scoring_for
from evals.measures.text.scoring.wordless import missing_entities, without_words

__all__ = [
    "Language",
    "Scored",
    "Scoring",
    "Tokens",
    "loops",
    "missing_entities",
    "parse_language",
    "score",
    "scoring_for",
    "without_words",
]
