"""What a generator leaves in each of its images: residuals, fingerprints and their correlation.

numpy and scipy only, so that images can be attributed without torch; fingerprints are learned in
:mod:`memscan.detectors.dif`. The method is DIF (Deep Image Fingerprint, WACV 2024).
"""
