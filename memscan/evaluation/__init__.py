"""How well detectors find images that were edited, and how often they take others for them."""
