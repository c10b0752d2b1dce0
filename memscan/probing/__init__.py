"""A diffusion model asked what it remembers of some images, beside images it does not."""
