"""What a model's licence demands of who uses it, in words; not legal advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evals.gate.thresholds import Restriction

#: What each restriction means to who puts a model to use.
MEANING: Mapping[Restriction, str] = {
    "non-commercial": "no commercial use",
    "research-only": "research only",
    "revenue-limit": "commercial use is free up to a revenue only, then by a paid licence",
    "use-limits": "some uses are forbidden",
    "provider-terms": "used by the provider's terms, who holds the weights",
    "copyleft": "who hands it on, or what is built on it, must give the source under this licence",
    "weak-copyleft": "who hands it on must give the source of it, and of changes to it",
    "no-derivatives": "no changed version may be handed on, a fine-tuned one included",
    "attribution": "its authors must be named where it is used",
    "unknown": "licence not known",
}

#: By the SPDX name in lower case, less "-only" and "-or-later"; LicenseRef- are names of our own.
#: A notice that must be kept in copies of the files (MIT, BSD, Apache) restricts nobody's use.
_DEMANDS: Mapping[str, tuple[Restriction, ...]] = {
    "0bsd": (),
    "apache-2.0": (),
    "bsd-2-clause": (),
    "bsd-3-clause": (),
    "cc0-1.0": (),
    "isc": (),
    "mit": (),
    "mit-0": (),
    "unlicense": (),
    "zlib": (),
    "cc-by-3.0": ("attribution",),
    "cc-by-4.0": ("attribution",),
    "cc-by-sa-3.0": ("copyleft", "attribution"),
    "cc-by-sa-4.0": ("copyleft", "attribution"),
    "cc-by-nd-4.0": ("no-derivatives", "attribution"),
    "cc-by-nc-3.0": ("non-commercial", "attribution"),
    "cc-by-nc-4.0": ("non-commercial", "attribution"),
    "cc-by-nc-sa-4.0": ("non-commercial", "copyleft", "attribution"),
    "cc-by-nc-nd-4.0": ("non-commercial", "no-derivatives", "attribution"),
    "gpl-2.0": ("copyleft",),
    "gpl-3.0": ("copyleft",),
    "agpl-3.0": ("copyleft",),
    "lgpl-2.1": ("weak-copyleft",),
    "lgpl-3.0": ("weak-copyleft",),
    "mpl-2.0": ("weak-copyleft",),
    "epl-2.0": ("weak-copyleft",),
    # Free of charge below a yearly revenue of 10 million US dollars (docs.liquid.ai, model
    # license); derived models stay under it.
    "licenseref-lfm-open-license-v1.0": ("revenue-limit", "attribution"),
    # Moonshine's models of other languages than English (moonshine-ai/moonshine, LICENSE).
    "licenseref-moonshine-community": ("non-commercial",),
    # Coqui's Public Model License.
    "licenseref-cpml": ("non-commercial",),
    "licenseref-research-only": ("research-only",),
    "licenseref-openrail": ("use-limits",),
    "proprietary": ("provider-terms",),
}


def restrictions(licence: str | None) -> Sequence[Restriction]:
    """What a licence, or an SPDX expression of several, demands; empty: nothing.

    Of "A OR B" the one that demands less is taken, of "A AND B" all that both demand; an
    exception ("WITH ...") takes nothing away here. What is not in the table is "unknown",
    and so is a model without a licence: never free.
    """
    # What nobody knows may demand anything, so another way is better.
    return min(_ways(licence), key=lambda way: ("unknown" in way, len(way)))


def flags(licence: str | None) -> Sequence[str]:
    """`restrictions` in words, for the page and the terminal."""
    return [MEANING[kind] for kind in restrictions(licence)]


def refusal(licence: str | None, rejected: Sequence[Restriction]) -> str | None:
    """Why a use that rejects some restrictions cannot have a model; None where it can.

    A licence that nobody knows may demand what is rejected, so it is refused. Of "A OR B" one
    that demands nothing of it is enough, even where it demands more of the rest.
    """
    if not rejected or any({*way}.isdisjoint(("unknown", *rejected)) for way in _ways(licence)):
        return None
    demanded = restrictions(licence)
    hit = [kind for kind in demanded if kind in rejected]
    if hit:
        return f"licence {licence}: {'; '.join(MEANING[kind] for kind in hit)}"
    if "unknown" in demanded:
        if not licence:
            return "no licence is named for it, and this use does not take any licence"
        return f"licence {licence} is not known here, and this use does not take any licence"
    return None


def _ways(licence: str | None) -> Sequence[tuple[Restriction, ...]]:
    """What each of the licences demands that one may choose from."""
    if licence is None or not licence.strip() or "(" in licence:
        return [("unknown",)]
    return [_all_of(way) for way in _split(licence, "or")]


def _all_of(expression: str) -> tuple[Restriction, ...]:
    found: dict[Restriction, None] = {}
    for name in _split(expression, "and"):
        plain = _split(name, "with")[0].strip().lower().removesuffix("+")
        plain = plain.removesuffix("-only").removesuffix("-or-later")
        found |= dict.fromkeys(_DEMANDS.get(plain, ("unknown",)))
    return tuple(found)


def _split(expression: str, operator: str) -> list[str]:
    """The parts between an operator, which is a word of its own in either case."""
    parts: list[list[str]] = [[]]
    for word in expression.split():
        if word.lower() == operator:
            parts.append([])
        else:
            parts[-1].append(word)
    return [" ".join(part) for part in parts]
