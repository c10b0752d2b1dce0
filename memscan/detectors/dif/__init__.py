"""DIF (Deep Image Fingerprint, WACV 2024): fingerprints learned, published ones read.

Needs torch.
"""
