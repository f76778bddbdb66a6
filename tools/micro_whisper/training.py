"""Training a stock `whisper.model.Whisper` without the cost of its 30 s windows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from whisper.model import ModelDimensions, MultiHeadAttention, Whisper

from tools.micro_whisper import vocabulary as vocab
from tools.micro_whisper.augmentation import IGNORED, Batch, Batches

DIMENSIONS = ModelDimensions(
    n_mels=80, n_audio_ctx=1500, n_audio_state=96, n_audio_head=3, n_audio_layer=3,
    n_vocab=vocab.SIZE, n_text_ctx=448, n_text_state=96, n_text_head=3, n_text_layer=2,
)  # fmt: skip
_PADDING_SAMPLES = 32
_MAX_GRADIENT = 1.0
_WARM_UP = 150


@dataclass(frozen=True)
class Phase:
    """`steps` of a cosine from `rate` to zero, after a short warm-up."""

    steps: int
    rate: float
    frame_weight: float
    guide_weight: float


class Trainee:
    """A Whisper with an embedding of the used tokens alone and a frame-word head."""

    def __init__(self, words: vocab.Vocabulary) -> None:
        self.whisper = Whisper(DIMENSIONS)
        width = DIMENSIONS.n_text_state
        self.embedding = nn.Parameter(torch.randn(len(words.ids), width) * 0.1)
        nn.init.normal_(self.whisper.decoder.positional_embedding, std=0.01)
        self.frame_head = nn.Linear(width, len(words.words) + 1)
        self.unused = vocab.SIZE - len(words.ids)
        # The full embedding has 5 million zeros that need no gradient.
        self.whisper.decoder.token_embedding.weight.requires_grad_(False)
        self.whisper.decoder.token_embedding.weight.zero_()

    def trained(self) -> list[nn.Parameter]:
        """Every parameter that the optimiser moves."""
        whisper = [weight for weight in self.whisper.parameters() if weight.requires_grad]
        return [self.embedding, *whisper, *self.frame_head.parameters()]

    def state(self) -> dict[str, Any]:
        """What a checkpoint of the training needs."""
        return {
            "embedding": self.embedding.detach(),
            "whisper": self.whisper.state_dict(),
            "frame_head": self.frame_head.state_dict(),
        }

    def encode(self, mel: Tensor, length: int, padding: Tensor, bias: Tensor) -> Tensor:
        """(b, length + 32, width): all real positions and the sampled padding positions."""
        encoder = self.whisper.encoder
        x = functional.gelu(encoder.conv1(mel))
        x = functional.gelu(encoder.conv2(x)).permute(0, 2, 1)
        silent = x[:, length + 1 : length + 2].expand(-1, len(padding), -1)
        places = torch.cat([torch.arange(length), padding])
        x = torch.cat([x[:, :length], silent], 1) + encoder.positional_embedding[places]
        for block in encoder.blocks:
            y = block.attn_ln(x)
            x = x + _attend(block.attn, y, y, bias)
            x = x + block.mlp(block.mlp_ln(x))
        encoded: Tensor = encoder.ln_post(x)
        return encoded

    def decode(self, tokens: Tensor, encoded: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Logits over used tokens, and the last layer's first head's cross-attention."""
        decoder = self.whisper.decoder
        x = self.embedding[tokens] + decoder.positional_embedding[: tokens.shape[1]]
        attention = x
        for block in decoder.blocks:
            y = block.attn_ln(x)
            x = x + _attend(block.attn, y, y, None)
            y = block.cross_attn_ln(x)
            attention = _first_head(block.cross_attn, y, encoded, bias)
            x = x + _attend(block.cross_attn, y, encoded, bias)
            x = x + block.mlp(block.mlp_ln(x))
        return decoder.ln(x) @ self.embedding.T, attention

    def losses(self, batch: Batch, padding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decoder, frame-word and guided-attention losses."""
        mel = torch.from_numpy(batch.mel)
        bias = torch.zeros(1, 1, 1, batch.length + len(padding))
        # Each sampled padding position stands for many of the 1500.
        bias[..., batch.length :] = math.log((1500 - batch.length) / len(padding))
        encoded = self.encode(mel, batch.length, padding, bias)
        logits, attention = self.decode(torch.from_numpy(batch.tokens), encoded, bias)
        targets = torch.from_numpy(batch.targets)
        # All other tokens have zero rows, thus zero logits: their part of the sum is exact.
        rest = torch.full_like(logits[..., 0], math.log(self.unused))
        total = torch.logaddexp(logits.logsumexp(-1), rest)
        chosen = logits.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        text = (total - chosen)[targets != IGNORED].mean()
        frames = self.frame_head(encoded[:, : batch.length])
        frame = functional.cross_entropy(
            frames.flatten(0, 1), torch.from_numpy(batch.frame_words).flatten()
        )
        guide = torch.from_numpy(batch.guide)
        mass = (attention[..., : batch.length] * guide).sum(-1)[guide.any(-1)]
        return text, frame, -torch.log(mass + 1e-4).mean()

    def finished(self, words: vocab.Vocabulary) -> Whisper:
        """The Whisper with the used rows written into its full embedding."""
        weight = self.whisper.decoder.token_embedding.weight
        with torch.no_grad():
            weight.zero_()
            weight[torch.from_numpy(words.ids)] = self.embedding
        return self.whisper


def _heads(module: MultiHeadAttention, x: Tensor) -> Tensor:
    return x.unflatten(-1, (module.n_head, -1)).transpose(1, 2)


def _attend(module: MultiHeadAttention, x: Tensor, source: Tensor, bias: Tensor | None) -> Tensor:
    """Attention with a bias on the keys, or causal where there is none."""
    query, key, value = (
        _heads(module, y) for y in (module.query(x), module.key(source), module.value(source))
    )
    mask = None
    if bias is not None:
        mask = bias.expand(len(x), module.n_head, x.shape[1], -1)
    out = functional.scaled_dot_product_attention(query, key, value, mask, is_causal=bias is None)
    result: Tensor = module.out(out.transpose(1, 2).flatten(2))
    return result


def _first_head(module: MultiHeadAttention, x: Tensor, source: Tensor, bias: Tensor) -> Tensor:
    size = x.shape[-1] // module.n_head
    query = functional.linear(x, module.query.weight[:size], module.query.bias[:size])
    key = functional.linear(source, module.key.weight[:size])
    scores = query @ key.transpose(1, 2) * size**-0.5 + bias[0]
    weights: Tensor = scores.softmax(-1)
    return weights


def train(
    trainee: Trainee,
    batches: Batches,
    phases: Sequence[Phase],
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Run the phases in turn; `report` gets a row of figures every 100 steps."""
    stream = iter(batches)
    began = time.monotonic()
    done = 0
    for phase in phases:
        optimizer = torch.optim.AdamW(
            trainee.trained(), lr=phase.rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        sums = [0.0, 0.0, 0.0]
        for step in range(phase.steps):
            share = step / phase.steps
            cosine = 0.5 * (1 + math.cos(math.pi * share))
            for group in optimizer.param_groups:
                group["lr"] = phase.rate * min(1.0, (step + 1) / _WARM_UP) * cosine
            batch = next(stream)
            padding = torch.randint(batch.length, 1500, (_PADDING_SAMPLES,))
            text, frame, guide = trainee.losses(batch, padding)
            loss = text + (1 - share) * (phase.frame_weight * frame + phase.guide_weight * guide)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(trainee.trained(), _MAX_GRADIENT)
            optimizer.step()
            done += 1
            for place, value in enumerate((text, frame, guide)):
                sums[place] += float(value.detach())
            if done % 100 == 0:
                seconds = round(time.monotonic() - began, 1)
                means = [round(value / 100, 4) for value in sums]
                report({"step": done, "seconds": seconds, "text,frame,guide": means})
                sums = [0.0, 0.0, 0.0]
