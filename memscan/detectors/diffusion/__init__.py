"""What a text-to-image diffusion model remembers: IIP (ICLR 2025) and its baselines.

Needs torch.
"""
