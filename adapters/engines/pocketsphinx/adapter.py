"""PocketSphinx: the small recognizer with its own English model, or a grammar of commands."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters.engines.pocketsphinx.minimize_grammar import parse_fsg, smallest, write_fsg
from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, Transcript


class PocketSphinx(Adapter):
    """CMU PocketSphinx 5 on the acoustic model that its wheel brings.

    grammar: the text of a JSGF grammar; None means the general language model.
    The remaining options are the decoder's own parameters of the same name.
    """

    extra = "pocketsphinx"
    modules = ("pocketsphinx",)
    devices = ("cpu",)
    longest_audio = 300.0  # it keeps every frame and the whole lattice of an utterance
    options: ClassVar[Options] = {
        "grammar": None,
        "fwdflat": True,
        "bestpath": True,
        "maxhmmpf": 30000,
        "maxwpf": -1,
        "pl_window": 5,
        "ds": 1,
        "topn": 4,
        "beam": 1e-48,
        "pbeam": 1e-48,
        "wbeam": 7e-29,
    }

    def load(self, spec: LoadSpec) -> None:
        from pocketsphinx import Decoder

        if spec.checkpoint != "builtin":
            raise ModelError(
                f"pocketsphinx has no checkpoint {spec.checkpoint!r}: only 'builtin', "
                "the English model of its package"
            )
        self.languages = ["en"]  # of the model that the package brings
        options = {**self.options, **spec.options}
        grammar = options.pop("grammar")
        parameters: dict[str, Any] = {"samprate": 16000, "loglevel": "ERROR", **options}
        if grammar is None:
            self._decoder = Decoder(**parameters)
            return
        self._decoder = Decoder(lm=None, **parameters)
        with tempfile.TemporaryDirectory() as folder:
            # The library hands a grammar over by file only.
            file = Path(folder, "grammar.fsg")
            try:
                self._decoder.parse_jsgf(grammar).writefile(str(file))
            except (RuntimeError, ValueError, AttributeError) as error:
                raise ModelError("pocketsphinx cannot read the JSGF grammar") from error
            small = write_fsg(smallest(parse_fsg(file.read_text())), "grammar")
            file.write_text(small)
            self._decoder.add_fsg("grammar", self._decoder.read_fsg(str(file)))
        self._decoder.activate_search("grammar")

    def transcribe(self, audio: Audio) -> Transcript:
        pcm = (np.clip(audio.samples, -1.0, 1.0) * 32767).astype(np.int16)
        if pcm.size == 0:
            return Transcript("")
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(pcm.tobytes(), full_utt=True)
        finally:
            self._decoder.end_utt()
        hypothesis = self._decoder.hyp()  # None where nothing was heard
        return Transcript(hypothesis.hypstr if hypothesis is not None else "")

    def close(self) -> None:
        del self._decoder


ADAPTER = PocketSphinx
