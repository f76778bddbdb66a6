"""A synthesized clip against a recording of the same words.

Frames are paired by dynamic time warping, because two readings never have the same timing.
STOI and PESQ compare sample with sample instead, so they are only taken of clips that do have
it, such as degraded or vocoded copies: see `same_timing`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evals.measures.sound.optional import NotMeasured, attempt, library
from evals.measures.sound.signal_quality import is_silent
from evals.measures.sound.world import FEWEST_VOICED, Voice, analyse
from fixtures.audio.read import SAMPLE_RATE, to_mono_16k

Samples = NDArray[np.float32]
Floats = NDArray[np.float64]
Steps = NDArray[np.intp]

#: Kubichek 1993, "Mel-cepstral distance measure for objective speech quality assessment".
_MCD_DB = 10 / math.log(10) * math.sqrt(2)
#: Pairs of frames that warping looks at, one byte each: two clips of 30 s of sound.
_MOST_PAIRS = 6_000**2

#: Clips of the same timing have durations this close, and loudness that rises and falls together.
_DURATION_TOLERANCE = 0.03
_ENVELOPE_CORRELATION = 0.7
_ENVELOPE_SECONDS = 0.02
#: PESQ's code has room for 50 utterances and crashes on more, which 20 s cannot hold.
PESQ_MOST_SECONDS = 20.0
_PESQ_LEAST_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class ReferenceSimilarity:
    """How a clip compares. None: it could not be measured, and `reasons` says why.

    mcd: mel-cepstral distortion in dB, the mean over the pairs of frames.
    f0_rmse_cents, f0_rmse_hz: over the pairs that are voiced in both.
    f0_shift_cents: median of clip over reference in the same pairs: what is left of the RMSE
    without it is the melody's.
    f0_spread_cents, reference_f0_spread_cents: how much each one's F0 varies.
    voicing_error_rate: share of the pairs of which one frame is voiced and one is not.
    pairs, voiced_pairs, voicing_errors: the counts behind these, for sums over a corpus:
    mcd * pairs, f0_rmse_cents**2 * voiced_pairs. 0 where nothing could be aligned.
    stoi: 0 to 1. pesq: wide band, 1.04 to 4.64.
    """

    mcd: float | None
    f0_rmse_cents: float | None
    f0_rmse_hz: float | None
    f0_shift_cents: float | None
    f0_spread_cents: float | None
    reference_f0_spread_cents: float | None
    voicing_error_rate: float | None
    pairs: int
    voiced_pairs: int
    voicing_errors: int
    stoi: float | None
    pesq: float | None
    reasons: Mapping[str, str] = field(default_factory=dict)


def reference_similarity(
    samples: Samples, sample_rate: int, reference: Samples, reference_rate: int
) -> ReferenceSimilarity:
    """Everything about one clip and its reference; both of shape (n,), mono.

    Everything is compared at 16 kHz. One of a lower rate lacks what is above half of it, and
    that counts as a difference.
    """
    reasons: dict[str, str] = {}
    clip = attempt(reasons, "clip", lambda: analyse(samples, sample_rate))
    recording = attempt(reasons, "reference", lambda: analyse(reference, reference_rate))

    def both() -> tuple[Voice, Voice]:
        if recording is None:
            raise NotMeasured(f"of the reference: {reasons['reference']}")
        if clip is None:
            raise NotMeasured(reasons["clip"])
        return clip, recording

    def align() -> Aligned:
        return aligned(*both())

    def close() -> tuple[Floats, Floats]:
        return same_timing(samples, sample_rate, reference, reference_rate)

    pairs = attempt(reasons, "mcd", align)
    if pairs is None:
        for name in ("f0_rmse_cents", "f0_rmse_hz", "f0_shift_cents", "voicing_error_rate"):
            reasons[name] = reasons["mcd"]
    voiced = None if pairs is None else attempt(reasons, "f0_rmse_cents", pairs.voiced_in_both)
    if pairs is not None and voiced is None:
        reasons["f0_rmse_hz"] = reasons["f0_shift_cents"] = reasons["f0_rmse_cents"]
    cents = None if voiced is None else 1200 * np.log2(voiced[0] / voiced[1])
    result = ReferenceSimilarity(
        mcd=None if pairs is None else float(pairs.distortions.mean()),
        f0_rmse_cents=None if cents is None else _rms(cents),
        f0_rmse_hz=None if voiced is None else _rms(voiced[0] - voiced[1]),
        f0_shift_cents=None if cents is None else float(np.median(cents)),
        f0_spread_cents=attempt(reasons, "f0_spread_cents", lambda: both()[0].f0_spread_cents),
        reference_f0_spread_cents=attempt(
            reasons, "reference_f0_spread_cents", lambda: both()[1].f0_spread_cents
        ),
        voicing_error_rate=None if pairs is None else pairs.voicing_errors / len(pairs.f0),
        pairs=0 if pairs is None else len(pairs.f0),
        voiced_pairs=0 if voiced is None else len(voiced[0]),
        voicing_errors=0 if pairs is None else pairs.voicing_errors,
        stoi=attempt(reasons, "stoi", lambda: stoi(*close())),
        pesq=attempt(reasons, "pesq", lambda: pesq(*close())),
        reasons=reasons,
    )
    for name in ("clip", "reference"):
        reasons.pop(name, None)
    return result


@dataclass(frozen=True, slots=True)
class Aligned:
    """Frames that warping paired.

    distortions: shape (n,), in dB. f0, reference_f0: shape (n,), in Hz, 0 where unvoiced.
    """

    distortions: Floats
    f0: Floats
    reference_f0: Floats

    @property
    def voicing_errors(self) -> int:
        return int(np.count_nonzero((self.f0 > 0) != (self.reference_f0 > 0)))

    def voiced_in_both(self) -> tuple[Floats, Floats]:
        """F0 of the clip and of the reference. Raises NotMeasured where they hardly share any."""
        both = (self.f0 > 0) & (self.reference_f0 > 0)
        if both.sum() < FEWEST_VOICED:
            raise NotMeasured(
                f"clip and reference are voiced together in {both.sum()} pairs of frames only"
            )
        return self.f0[both], self.reference_f0[both]


def aligned(clip: Voice, reference: Voice) -> Aligned:
    """The frames of both, paired so that the mel-cepstral distortions sum to the least.

    Raises NotMeasured where the clips are too long to be warped.
    """
    if len(clip.f0) * len(reference.f0) > _MOST_PAIRS:
        raise NotMeasured("clip and reference are too long to be aligned (30 s of sound each)")
    rows, columns = warp(clip.cepstra, reference.cepstra)
    distortions = mel_cepstral_distortions(clip.cepstra[rows], reference.cepstra[columns])
    return Aligned(distortions, clip.f0[rows], reference.f0[columns])


def mel_cepstral_distortions(cepstra: Floats, reference: Floats) -> Floats:
    """The distortion in dB of each row, 10 / ln 10 * sqrt(2 * sum over k of (c_k - c'_k)^2).

    Both of shape (n, K): c1 to cK without c0, the energy (Kubichek 1993).
    """
    return np.asarray(_MCD_DB * np.sqrt(((cepstra - reference) ** 2).sum(axis=1)))


def warp(left: Floats, right: Floats) -> tuple[Steps, Steps]:
    """The pairs of rows of a path from both starts to both ends, by dynamic time warping.

    left: shape (n, K); right: (m, K). Steps are one row of either or of both, all of weight 1;
    the sum of the Euclidean distances along the path is the least (Sakoe and Chiba 1978).
    Where steps are equal the one of both is taken.
    """
    n, m = len(left), len(right)
    steps = np.zeros((n, m), np.uint8)
    # Costs of the last two antidiagonals by row of `left`, shifted by 1: [0] is outside.
    last, before = np.full(n + 1, np.inf), np.full(n + 1, np.inf)
    before[0] = 0.0
    for total in range(n + m - 1):
        rows = np.arange(max(0, total - m + 1), min(n, total + 1))
        columns = total - rows
        difference = left[rows] - right[columns]
        distance = np.sqrt(np.einsum("ij,ij->i", difference, difference))
        ways = np.stack([before[rows], last[rows], last[rows + 1]])  # both, left only, right only
        best = ways.argmin(axis=0)
        now = np.full(n + 1, np.inf)
        now[rows + 1] = ways[best, np.arange(len(rows))] + distance
        steps[rows, columns] = best
        before, last = last, now
    path = [(n - 1, m - 1)]
    while path[-1] != (0, 0):
        row, column = path[-1]
        step = steps[row, column]
        path.append((row - (step != 2), column - (step != 1)))
    backwards = np.array(path[::-1], np.intp)
    return backwards[:, 0], backwards[:, 1]


def same_timing(
    samples: Samples, sample_rate: int, reference: Samples, reference_rate: int
) -> tuple[Floats, Floats]:
    """Clip and reference at 16 kHz, of the same length, where they say the same at the same time.

    They do where their durations differ by at most 3 % and the magnitudes of frames of 20 ms
    correlate by 0.7 or more, as those of a noisy copy do and those of another reading do not.
    Raises NotMeasured where they don't, or one of them is silent or not finite.
    """
    for name, sound in (("the clip", samples), ("the reference", reference)):
        if not np.isfinite(sound).all():
            raise NotMeasured(f"samples of {name} are NaN or infinite")
    clip = to_mono_16k(samples, sample_rate).astype(np.float64)
    recording = to_mono_16k(reference, reference_rate).astype(np.float64)
    for name, wave in (("the clip", clip), ("the reference", recording)):
        if len(wave) == 0 or is_silent(wave, SAMPLE_RATE):
            raise NotMeasured(f"{name} is silent")
    shorter, longer = sorted((len(clip), len(recording)))
    if longer - shorter > _DURATION_TOLERANCE * len(recording):
        raise NotMeasured(
            "clip and reference have not the same timing: they last "
            f"{len(clip) / SAMPLE_RATE:.2f} and {len(recording) / SAMPLE_RATE:.2f} s"
        )
    clip, recording = clip[:shorter], recording[:shorter]
    correlation = _envelope_correlation(clip, recording)
    if correlation < _ENVELOPE_CORRELATION:
        raise NotMeasured(
            "clip and reference have not the same timing: their loudness correlates by "
            f"{correlation:.2f} only"
        )
    return clip, recording


def stoi(clip: Floats, reference: Floats) -> float:
    """Short-time objective intelligibility (Taal et al. 2011), by pystoi; both at 16 kHz.

    Raises NotMeasured with less than 0.4 s of speech, LibraryMissing without pystoi.
    """
    pystoi = library("pystoi")
    with warnings.catch_warnings():
        # Too few frames are answered with a warning and a number that is none.
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(pystoi.stoi(reference, clip, SAMPLE_RATE))
        except RuntimeWarning:
            raise NotMeasured("STOI needs 0.4 s of speech") from None


def pesq(clip: Floats, reference: Floats) -> float:
    """Wide-band PESQ (ITU-T P.862.2), by the package pesq; both at 16 kHz.

    Raises NotMeasured for clips outside 0.25 to 20 s (P.862.3 asks for 8 to 12 s) and where
    PESQ finds no utterance, LibraryMissing without pesq.
    """
    seconds = len(clip) / SAMPLE_RATE
    if not _PESQ_LEAST_SECONDS < seconds <= PESQ_MOST_SECONDS:
        raise NotMeasured(
            f"PESQ takes clips of {_PESQ_LEAST_SECONDS:g} to {PESQ_MOST_SECONDS:g} s, "
            f"not of {seconds:.2f} s"
        )
    package = library("pesq")
    try:
        return float(package.pesq(SAMPLE_RATE, reference, clip, "wb"))
    except (package.NoUtterancesError, package.BufferTooShortError) as error:
        said = error.args[0]
        words = said.decode() if isinstance(said, bytes) else str(said)
        raise NotMeasured(f"PESQ: {words}") from error


def _envelope_correlation(clip: Floats, reference: Floats) -> float:
    size = round(_ENVELOPE_SECONDS * SAMPLE_RATE)
    frames = len(clip) // size
    if frames < 2:
        raise NotMeasured("the clip is too short")
    levels = [
        np.sqrt((wave[: frames * size].reshape(frames, size) ** 2).mean(axis=1))
        for wave in (clip, reference)
    ]
    if min(float(level.std()) for level in levels) == 0:
        raise NotMeasured("one of them is as loud all the time")
    return float(np.corrcoef(np.stack(levels))[0, 1])


def _rms(values: Floats) -> float:
    return float(np.sqrt((values**2).mean()))
