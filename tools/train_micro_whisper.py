"""Train the embedded micro Whisper and pack it into fixtures/micro_whisper.

    python -m tools.train_micro_whisper --cache .cache/micro-whisper

Needs openai-whisper (with torch), espeakng-loader and soxr. Two cores and 8 GB do.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=2200, help="steps of the first phase")
    parser.add_argument("--final-steps", type=int, default=900, help="steps of the second phase")
    parser.add_argument("--utterances", type=int, default=60000)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--final-rate", type=float, default=8e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=Path, required=True, help="folder for synthesized data")
    parser.add_argument(
        "--evaluate", type=int, default=240, help="utterances to evaluate on; 0 for none"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "fixtures" / "micro_whisper"
    )
    options = parser.parse_args()

    import numpy as np
    import torch

    from tools.micro_whisper import augmentation, evaluation, packing, synthesis, training
    from tools.micro_whisper.vocabulary import vocabulary

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    random.seed(options.seed)
    words = vocabulary()
    data = synthesis.synthesize(options.cache, options.utterances, options.seed)
    trainee = training.Trainee(words)
    batches = augmentation.Batches(data, words, options.batch, options.seed)
    phases = [
        training.Phase(options.steps, options.rate, frame_weight=0.7, guide_weight=0.3),
        training.Phase(options.final_steps, options.final_rate, frame_weight=0.1, guide_weight=0.0),
    ]

    def report(row: dict[str, Any]) -> None:
        print(json.dumps(row), flush=True)
        if row["step"] % 500 == 0:
            torch.save(trainee.state(), options.cache / "last.pt")

    training.train(trainee, batches, phases, report)
    torch.save(trainee.state(), options.cache / "last.pt")
    weights = packing.pack(trainee.finished(words), words, options.out)
    if options.evaluate:
        figures = evaluation.evaluate(weights, options.cache, options.evaluate)
        print(json.dumps(figures, indent=1), flush=True)


if __name__ == "__main__":
    main()
