"""From prompts to embeddings: CLIP's tokenizer and text encoder, of transformers, from files.

Neither is opened by transformers itself, which could ask the network, run code that a file names,
and draw at random whatever the weights lack.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Sequence

import torch

from memscan.detectors.diffusion import parts, states
from memscan.detectors.extras import require
from memscan.detectors.weights import State
from memscan.errors import InputError

STEM = "model"
VOCABULARY, MERGES, WHOLE = "vocab.json", "merges.txt", "tokenizer.json"
SETTINGS, SPECIAL = "tokenizer_config.json", "special_tokens_map.json"

BEGIN, END = "<|startoftext|>", "<|endoftext|>"

Config = Dict[str, Any]

_PREFIX = "text_model."  # of tensors, before transformers 5
_ACTIVATIONS = ("quick_gelu", "gelu", "gelu_new", "relu", "silu")
SPECIAL_TOKENS = {"bos_token": BEGIN, "eos_token": END, "pad_token": END, "unk_token": END}
"""The special tokens of CLIP, where a tokenizer's files do not name others."""


@dataclass(frozen=True)
class Prompts:
    """A tokenizer and a text encoder; ``length`` tokens stand for every prompt."""

    tokenizer: Any
    encoder: Any
    length: int

    def numbers(self, prompts: Sequence[str]) -> torch.Tensor:
        """The numbers of the tokens of prompts, int64 (n, length), cut and filled up."""
        found: torch.Tensor = self.tokenizer(
            [characters(prompt) for prompt in prompts],
            padding="max_length",
            max_length=self.length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        return found

    def tokens(self, prompt: str) -> tuple[str, ...]:
        """The text at each position; "" at what begins, ends and fills up."""
        numbers = self.numbers([prompt])[0].tolist()
        words = numbers[1 : numbers.index(self.tokenizer.eos_token_id, 1)]
        texts = [self.tokenizer.decode([number]).strip() for number in words]
        return ("", *texts, *[""] * (len(numbers) - len(texts) - 1))

    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        """The embeddings of prompts, float32 of shape (n, length, width)."""
        numbers = self.numbers(prompts).to(self.encoder.device)
        embeddings: torch.Tensor = self.encoder(numbers).last_hidden_state
        return embeddings


def load(tokenizer_folder: str, encoder_folder: str) -> tuple[Prompts, str]:
    """The tokenizer and the text encoder of two directories, and the SHA-256 of the weights.

    Raises InputError for what is neither, and where the two do not belong together.
    """
    path = os.path.join(encoder_folder, parts.CONFIG)
    try:
        config = parse_config(parts.read_object(path))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    tokenizer, longest = _tokenizer(tokenizer_folder, config["vocab_size"])
    encoder, sha256 = _encoder(encoder_folder, config)
    return Prompts(tokenizer, encoder, min(longest, config["max_position_embeddings"])), sha256


def build_encoder(config: Config) -> Any:
    """A new CLIPTextModel with weights drawn by torch's seed."""
    require("transformers", "diffusion")
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(CLIPTextConfig(**config))


def build_tokenizer(
    vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], **special: str
) -> Any:
    """CLIP's tokenizer of a vocabulary and the pairs that are merged. Raises ValueError."""
    require("transformers", "diffusion")
    from transformers import CLIPTokenizer

    try:
        return CLIPTokenizer(vocab=dict(vocabulary), merges=list(merges), **special)
    except Exception as error:  # tokenizers raises nothing more precise
        raise ValueError(f"no vocabulary of CLIP: {error}") from error


def characters(text: str) -> str:
    """The text with ? for what is no character, as a file name has it that is no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def published(state: State) -> State:
    """The tensors of a text encoder by the names of published models, which all versions know."""
    return {f"{_PREFIX}{name.replace(_PREFIX, '', 1)}": one for name, one in state.items()}


def parse_config(document: Mapping[str, Any]) -> Config:
    """What a text encoder is made of, each within bounds. Raises ValueError that names a field."""
    if document.get("use_attention_mask"):
        raise ValueError("use_attention_mask is not that of Stable Diffusion")
    vocabulary = parts.whole(document, "vocab_size", 49408, 2, 1 << 20)
    config: Config = {
        "vocab_size": vocabulary,
        "hidden_size": parts.whole(document, "hidden_size", 512, 1, 4096),
        "intermediate_size": parts.whole(document, "intermediate_size", 2048, 1, 16384),
        "num_hidden_layers": parts.whole(document, "num_hidden_layers", 12, 1, 64),
        "num_attention_heads": parts.whole(document, "num_attention_heads", 8, 1, 128),
        "max_position_embeddings": parts.whole(document, "max_position_embeddings", 77, 3, 1024),
        "hidden_act": parts.word(document, "hidden_act", "quick_gelu", _ACTIVATIONS),
        "layer_norm_eps": parts.number(document, "layer_norm_eps", 1e-5, 1e-12, 1),
    }
    if config["hidden_size"] % config["num_attention_heads"]:
        raise ValueError("num_attention_heads must divide hidden_size")
    # What the pooled output is read at, which nothing here uses: any token of the vocabulary does.
    return {**config, "bos_token_id": 0, "eos_token_id": vocabulary - 1, "pad_token_id": 0}


def _encoder(folder: str, config: Config) -> tuple[Any, str]:
    path, state, sha256 = states.read(folder, STEM)
    state = {name.replace(_PREFIX, "", 1): one for name, one in state.items()}
    state.pop("embeddings.position_ids", None)  # numbers from 0, which former versions kept
    try:
        with torch.device("meta"):  # what a configuration claims costs no memory
            encoder = build_encoder(config)
        inner = getattr(encoder, "text_model", encoder)
        inner.load_state_dict(state, assign=True)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path}: the weights do not fit {parts.CONFIG}") from error
    positions = torch.arange(config["max_position_embeddings"]).expand((1, -1))
    inner.embeddings.register_buffer("position_ids", positions, persistent=False)
    return encoder.eval().requires_grad_(False), sha256


def _tokenizer(folder: str, most: int) -> tuple[Any, int]:
    """The tokenizer of a directory, and how many tokens a prompt may have by its settings."""
    settings = _optional(folder, SETTINGS)
    named = {**_optional(folder, SPECIAL), **settings}
    special = {name: _content(named.get(name), usual) for name, usual in SPECIAL_TOKENS.items()}
    path, vocabulary, merges = _vocabulary(folder)
    absent = sorted(token for token in special.values() if token not in vocabulary)
    if absent:
        raise InputError(f"{path}: the token {absent[0]!r:.40} is missing")
    if not all(type(place) is int and 0 <= place < most for place in vocabulary.values()):
        raise InputError(f"{path}: a token has a number for which there is no embedding")
    longest = settings.get("model_max_length", 77)
    if type(longest) not in (int, float) or not longest >= 3:
        raise InputError(f"{os.path.join(folder, SETTINGS)}: model_max_length must be 3 or more")
    try:
        return build_tokenizer(vocabulary, merges, **special), int(min(longest, 1 << 20))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _vocabulary(folder: str) -> tuple[str, parts.Document, list[tuple[str, str]]]:
    """The file of the vocabulary, the vocabulary, and the pairs that are merged."""
    path = os.path.join(folder, WHOLE)
    if os.path.exists(os.path.join(folder, VOCABULARY)) or not os.path.exists(path):
        path = os.path.join(folder, VOCABULARY)
        vocabulary: Any = parts.read_object(path)
        lines = parts.read_text(os.path.join(folder, MERGES)).splitlines()
        merges: Any = [line for line in lines if line and not line.startswith("#version")]
    else:
        model = parts.read_object(path).get("model")
        if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
            raise InputError(f"{path}: no tokenizer of CLIP")
        vocabulary, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocabulary, dict) or not isinstance(merges, list):
        raise InputError(f"{path}: no tokenizer of CLIP")
    pairs = [one.split(" ") if isinstance(one, str) else one for one in merges]
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs) or not all(
        isinstance(token, str) and token for pair in pairs for token in pair
    ):
        raise InputError(f"{path}: a merge is not a pair of tokens")
    return path, vocabulary, [(first, second) for first, second in pairs]


def _optional(folder: str, name: str) -> parts.Document:
    path = os.path.join(folder, name)
    return parts.read_object(path) if os.path.exists(path) else {}


def _content(value: Any, usual: str) -> str:
    """A special token, which is written as it is or in an object."""
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) and content else usual
