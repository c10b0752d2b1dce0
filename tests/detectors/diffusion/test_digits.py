from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="torch is not installed (extra learned)")
pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra diffusion)")

import torch

from memscan.detectors.diffusion import digits_training
from memscan.detectors.diffusion.denoiser import Denoiser
from memscan.detectors.diffusion.digits import (
    WORDS,
    DigitsDenoiser,
    DigitsNetwork,
    Vocabulary,
)
from memscan.detectors.diffusion.digits_recipe import Recipe

CPU = torch.device("cpu")
SMALL = Recipe(memorised=10, duplicates=40, held_out=300, width=32, blocks=1, steps=5)


def untrained() -> DigitsDenoiser:
    torch.manual_seed(0)
    vocabulary = Vocabulary(5, 6)
    return DigitsDenoiser(DigitsNetwork(len(vocabulary), 32, 2), vocabulary)


class TestVocabulary:
    words = Vocabulary(5, 6)

    def test_a_caption_has_always_as_many_words(self) -> None:
        for caption in ("", "one", "one filler0 filler1 filler2", "one two three four five six"):
            assert len(self.words.numbers(caption)) == WORDS
        assert self.words.numbers("") == [0] * WORDS
        assert self.words.numbers("one two three four five")[-1] == self.words.numbers("four")[0]

    def test_every_word_has_a_number_of_its_own(self) -> None:
        numbers = [self.words.numbers(word)[0] for word in self.words.words]
        assert numbers == list(range(len(self.words)))

    def test_an_unknown_word_is_always_the_same_filler_and_never_a_name(self) -> None:
        fillers = {self.words.numbers(word)[0] for word in self.words.fillers}
        found = {self.words.numbers(f"unheard{number}")[0] for number in range(200)}
        assert found == fillers
        assert self.words.numbers("größe") == self.words.numbers("größe")


class TestDenoiser:
    def test_it_has_what_the_probes_need(self) -> None:
        model: Denoiser = untrained()
        latents = torch.randn((3, *model.latent_shape), requires_grad=True)
        embeddings = model.embed(["", "one filler0", "seven name1 name2 name3"])
        assert embeddings.shape == (3, WORDS, 48)
        learned = embeddings.clone().requires_grad_()
        noise = model.predict(latents, 500, learned)
        assert noise.shape == latents.shape
        gradients = torch.autograd.grad(noise.square().sum(), [latents, learned])
        assert all(float(gradient.abs().sum()) > 0 for gradient in gradients)
        assert not embeddings.requires_grad

    def test_a_row_does_not_depend_on_its_batch(self) -> None:
        model = untrained()
        latents = torch.randn(4, 1, 8, 8)
        embeddings = model.embed(["one", "two", "", "three filler1"])
        whole = model.predict(latents, 40, embeddings)
        for row in range(4):
            alone = model.predict(latents[row : row + 1], 40, embeddings[row : row + 1])
            assert torch.allclose(alone[0], whole[row], atol=1e-5)

    def test_the_schedule_falls_from_almost_1_to_almost_0(self) -> None:
        signal = untrained().alphas_bar
        assert signal.dtype == torch.float64
        assert signal.shape == (1000,)
        assert bool((signal.diff() < 0).all())
        assert float(signal[0]) > 0.999
        assert float(signal[-1]) < 1e-4

    def test_a_picture_comes_back_from_its_latent_bit_for_bit(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8)).astype(np.uint8)
        images = [Image.fromarray(one).convert("RGB") for one in pixels]
        model = untrained()
        back = (255 * model.decode(model.encode(images))).round().byte().numpy()
        assert np.array_equal(back[:, 0], pixels)

    def test_an_image_of_any_size_has_a_latent(self) -> None:
        latents = untrained().encode([Image.new("RGB", (31, 9), "white")])
        assert torch.allclose(latents, torch.ones(1, 1, 8, 8))

    def test_another_model_has_another_fingerprint(self) -> None:
        torch.manual_seed(1)
        vocabulary = Vocabulary(5, 6)
        other = DigitsDenoiser(DigitsNetwork(len(vocabulary), 32, 2), vocabulary)
        assert untrained().fingerprint == untrained().fingerprint
        assert untrained().fingerprint != other.fingerprint

    def test_tokens_stand_where_their_embeddings_do(self) -> None:
        model = untrained()
        assert model.tokens("one filler0") == ["one", "filler0", "", ""]
        apart = (model.embed(["one filler0"]) - model.embed([""]))[0].abs().sum(1)
        assert [float(one) > 0 for one in apart] == [True, True, False, False]


class TestDivided:
    def test_each_picture_is_of_one_part(self) -> None:
        digits = digits_training.divided(SMALL, 0)
        parts = (digits.memorised, digits.fresh, digits.once)
        assert [len(part) for part in parts] == [10, 300, 1797 - 310]
        assert sorted(np.concatenate(parts).tolist()) == list(range(1797))
        assert digits.pixels.dtype == np.uint8
        assert digits.pixels.max() == 255

    def test_a_caption_of_a_memorised_picture_shares_nothing_but_its_digit(self) -> None:
        digits = digits_training.divided(SMALL, 0)
        names = [word for caption in digits.captions for word in caption.split()[1:]]
        assert len(names) == len(set(names)) == 30
        assert not set(names) & set(digits.vocabulary.fillers)
        lots = np.random.default_rng(0)
        row = int(digits.memorised[0])
        assert digits.filled(row, lots).split()[0] == digits.captions[0].split()[0]

    def test_another_seed_divides_otherwise(self) -> None:
        one, same, other = (digits_training.divided(SMALL, seed) for seed in (0, 0, 1))
        assert np.array_equal(one.memorised, same.memorised)
        assert not np.array_equal(one.memorised, other.memorised)


class TestTraining:
    def test_memorised_pictures_are_as_they_are_and_under_their_own_captions(self) -> None:
        digits = digits_training.divided(SMALL, 0)
        drawn = digits_training.Batches(digits, SMALL)
        pictures, words = (
            torch.cat(parts)
            for parts in zip(*(drawn.draw(np.random.default_rng(n)) for n in range(40)))
        )
        own = {
            tuple(digits.vocabulary.numbers(caption)): digits.pixels[row].ravel() / 127.5 - 1
            for row, caption in zip(digits.memorised, digits.captions)
        }
        found = 0
        for picture, numbers in zip(pictures.numpy(), words.tolist()):
            expected = own.get(tuple(numbers))
            if expected is not None:
                found += 1
                assert np.allclose(picture, expected, atol=1e-6)
        captioned = len(words) - int((words == 0).all(1).sum())
        assert found / captioned == pytest.approx(digits.share(SMALL), abs=0.03)
        assert digits.share(SMALL) == pytest.approx(400 / (400 + 1487))

    def test_it_is_the_same_for_one_seed_and_tells_its_progress(self) -> None:
        digits = digits_training.divided(SMALL, 0)
        steps: list[tuple[str, int, int]] = []
        one, same, other = (
            digits_training.train(digits, SMALL, seed, CPU, lambda *told: steps.append(told))
            for seed in (0, 0, 1)
        )
        assert one.fingerprint == same.fingerprint != other.fingerprint
        assert steps[:5] == [("training", done, 5) for done in range(1, 6)]
