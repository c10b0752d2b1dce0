from __future__ import annotations

from typing import Any

import pytest

from tests.detectors.diffusion.models import needs_transformers

needs_transformers()

import torch  # noqa: E402

from memscan.detectors.diffusion import schedules  # noqa: E402

STEPS = {"num_train_timesteps": 100}


@pytest.mark.parametrize(
    "fields",
    [
        {"beta_schedule": "linear", "beta_start": 0.001, "beta_end": 0.03},
        {"beta_schedule": "scaled_linear", "beta_start": 0.001, "beta_end": 0.03},
        {"beta_schedule": "squaredcos_cap_v2"},
        {"trained_betas": [0.01] * 50 + [0.02] * 50},
        {},
    ],
)
def test_schedules_are_those_of_diffusers(fields: dict[str, Any]) -> None:
    from diffusers import DDPMScheduler

    found = schedules.parse({**STEPS, **fields})
    wanted = DDPMScheduler(**STEPS, **fields).alphas_cumprod
    assert torch.allclose(found.alphas_bar.float(), wanted, rtol=1e-4, atol=1e-9)
    assert found.alphas_bar.dtype == torch.float64
    assert found.prediction == "epsilon"


def test_a_velocity_gives_back_the_noise_it_was_made_of() -> None:
    schedule = schedules.parse({**STEPS, "prediction_type": "v_prediction"})
    clean, noise = torch.randn(2, 3), torch.randn(2, 3)
    for step in (0, 50, 99):
        share = schedule.alphas_bar[step]
        latents = (share.sqrt() * clean + (1 - share).sqrt() * noise).float()
        velocity = (share.sqrt() * noise - (1 - share).sqrt() * clean).float()
        assert torch.allclose(schedule.noise(velocity, latents, step), noise, atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"shift": 3.0}, "not the schedule of a diffusion model with betas"),
        ({**STEPS, "beta_schedule": "exec"}, "beta_schedule must be one of"),
        ({"num_train_timesteps": 10**9}, "num_train_timesteps must be a whole number"),
        ({**STEPS, "trained_betas": [0.1]}, "trained_betas must be as many"),
        ({**STEPS, "trained_betas": [2] * 100}, "trained_betas must be positive numbers"),
        ({**STEPS, "beta_start": 0.9, "beta_end": 0.9}, "leave no signal in the last step"),
        ({**STEPS, "beta_end": float("nan")}, "beta_end must be a number"),
    ],
)
def test_a_schedule_without_meaning_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        schedules.parse(fields)
