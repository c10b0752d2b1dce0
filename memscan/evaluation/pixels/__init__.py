"""Baselines that compare pixels: MSE, NCC, SSIM and FSIM of small grey images."""
